"""``python -m ormco_trios`` is the command ``ormco-trios``."""

from ormco_trios.cli import main

main()
