"""scheme = "auto": the smallest file that keeps the user's checks, found among schemes and mixes of them."""
