"""What held-out healthy maps look like to a detector, and the healthy maps themselves."""
