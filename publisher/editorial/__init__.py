"""What an article is at a moment, who sees how much of it, and what they see: pure decisions over values."""
