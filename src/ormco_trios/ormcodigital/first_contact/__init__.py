"""The first contact with the real portal: record one walk through the guide, then judge by it.

Nothing of the portal's interface is published, so `ormco_trios` assumes one.  One recording of one
walk says what holds and what differs.  Recordings are redacted before they are written or judged:
see `redact`.
"""
