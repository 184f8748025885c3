"""Real parts for tests and the demonstration: a registry, containerd, a CRI client, images and the daemon itself.

Every part listens on loopback or on a socket in its own folder, ends only the processes it started, by their ids, and
leaves no process, mount or folder behind.
"""
