"""imagefit: the right build of one image tag for every node."""
