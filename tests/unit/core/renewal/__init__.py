"""What the renewals are written in, and what they keep on this machine."""
