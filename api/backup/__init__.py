"""What is not in the stores, in one encrypted file, and a home made from it again."""
