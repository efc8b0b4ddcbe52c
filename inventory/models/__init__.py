"""The nouns of the project, frozen. Law: data and its invariants only; every room may import them."""
