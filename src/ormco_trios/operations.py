"""What an endpoint of your own is made of; a client's ``call`` carries it out.

An `Operation` is a value: it names a method and a route, and says how an answer becomes a result
and what sending it twice does.
"""

from ormco_trios.core.answers import (
    content,
    error_as,
    json_as,
    json_list_as,
    json_text,
    nothing,
    refusal,
)
from ormco_trios.core.environment import Service
from ormco_trios.core.model import PascalModel
from ormco_trios.core.operation import Operation, Safety
from ormco_trios.core.transport import Answer
from ormco_trios.ormcodigital.renaming import PORTAL, renamed

__all__ = [
    "PORTAL",
    "Answer",
    "Operation",
    "PascalModel",
    "Safety",
    "Service",
    "content",
    "error_as",
    "json_as",
    "json_list_as",
    "json_text",
    "nothing",
    "refusal",
    "renamed",
]
