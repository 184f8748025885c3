"""What kubelet is configured with, and the change that has it ask imagefit: text in, text out.

Knows the files of kubeadm, k3s and RKE2, and how one setting is put in and taken out without touching anything else.
Reads nothing itself: a ``Tree`` is given to it. Leaves reading, writing and all that a person is told to ``cli``.

To read in this order: ``layout`` (where kubelet gets its settings), ``planning`` (what has to change), and what they
stand on: ``document`` (YAML), ``variables`` (environment files), ``units`` (systemd), ``rancher`` (k3s and RKE2).
"""
