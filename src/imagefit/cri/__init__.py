"""The edge to kubelet and containerd: bytes on the wire, calls forwarded, records kept."""
