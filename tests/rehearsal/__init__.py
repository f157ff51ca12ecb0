"""Plans, records and replays: values in, sentences out."""
