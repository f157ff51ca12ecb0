"""The judge beside the rules of its peers: false alarms, detection, and what it costs."""
