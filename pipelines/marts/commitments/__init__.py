"""What commitments have in common: addresses of figures, and when a value meets a target."""
