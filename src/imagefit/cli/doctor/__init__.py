"""``imagefit doctor``: looks at each step between an image's name and its content, and says where it fails."""
