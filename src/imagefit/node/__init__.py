"""What this node is: one detector per source, each on a host that can be moved. Files are read, nothing is run."""
