"""Digests as pure values: schedule → slots; articles × reader → selection; selection → edition; what holds an issue."""
