"""The daemon: what kubelet talks to, put together of the other packages.

Knows when each part is imported, made and ended, and which part gets what of the configuration. Leaves to ``cri`` what
becomes of a call, and to ``service`` what becomes of a pull. Nothing is imported here: what only a pull needs must not
delay listening.

To read in this order: ``life`` (from the start to the end), ``listening`` (the socket), ``owning`` (whose its path is,
and how that changes), ``stopping`` (signals), ``idle`` (what is done beside forwarding), ``pulls`` (what answers once
somebody asks), ``reload`` (the configuration anew), ``readiness`` (whether pulls can be answered), ``endpoint`` (who is
told over HTTP), ``notifying`` (what systemd is told) and ``starts`` (those that end badly).
"""
