"""What a bundle's outputs on files of the user's are worth, against the truth that lies beside them."""
