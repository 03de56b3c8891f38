"""What is known of each GPU, and where from."""
