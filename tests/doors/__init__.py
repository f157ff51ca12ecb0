"""Tests of the doors: what comes in, what is answered, and the host that opens them here."""
