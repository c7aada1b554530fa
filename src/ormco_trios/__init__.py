"""Connects an orthodontic practice's 3Shape TRIOS scanner account to Ormco, by program.

What is named here is loaded when it is first used, so importing the library costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ormco_trios._version import __version__

if TYPE_CHECKING:
    from ormco_trios.communicate.approval import ApprovalUpdate, ApprovalWait, PollSchedule
    from ormco_trios.communicate.async_client import AsyncCommunicateClient
    from ormco_trios.communicate.case_files import Download
    from ormco_trios.communicate.case_sync import CaseCursor, CaseWindow
    from ormco_trios.communicate.client import CommunicateClient
    from ormco_trios.communicate.models import (
        Case,
        CaseFile,
        Connection,
        ConnectionState,
        User,
    )
    from ormco_trios.communicate.regions import Region
    from ormco_trios.core import errors
    from ormco_trios.core.clock import Clock
    from ormco_trios.core.environment import Environment
    from ormco_trios.core.events import AuditEvent, CallEvent
    from ormco_trios.core.pacing import TokenBucket
    from ormco_trios.core.retry import Retry
    from ormco_trios.core.transport import Timeout
    from ormco_trios.oauth.async_client import AsyncOAuthClient
    from ormco_trios.oauth.async_receiver import AsyncRedirectReceiver
    from ormco_trios.oauth.client import OAuthClient
    from ormco_trios.oauth.code import AuthorizationCode, UnrecognisedCodeWarning
    from ormco_trios.oauth.receiver import RedirectReceiver
    from ormco_trios.oauth.request import AuthorizationRequest
    from ormco_trios.oauth.server import AuthorizationServer
    from ormco_trios.oauth.shape import CodeShape
    from ormco_trios.oauth.stores import FileTokenStore, KeyringTokenStore, MemoryTokenStore
    from ormco_trios.oauth.token import AsyncTokenStore, Token, TokenStore
    from ormco_trios.onboarding.async_onboarding import AsyncOnboarding
    from ormco_trios.onboarding.async_task_page import AsyncTaskPage
    from ormco_trios.onboarding.checklist import Checklist, OverallState, Step, StepName, StepState
    from ormco_trios.onboarding.doctor import Diagnosis, Finding
    from ormco_trios.onboarding.onboarding import Onboarding
    from ormco_trios.onboarding.outcomes import (
        Connected,
        Interruption,
        NeedsAuthorization,
        NeedsPerson,
        Outcome,
        Progress,
        Purpose,
        Repair,
        Repaired,
        Waiting,
    )
    from ormco_trios.onboarding.repair import Disconnected, Place, PlaceState
    from ormco_trios.onboarding.task_page import TaskPage
    from ormco_trios.ormcodigital.async_client import AsyncOrmcoDigitalClient
    from ormco_trios.ormcodigital.browser.async_portal import AsyncBrowserPortal
    from ormco_trios.ormcodigital.browser.portal import BrowserPortal
    from ormco_trios.ormcodigital.client import OrmcoDigitalClient
    from ormco_trios.ormcodigital.facts import Source
    from ormco_trios.ormcodigital.manual import AsyncManualPortal, ManualPortal
    from ormco_trios.ormcodigital.models import SubmissionMethod
    from ormco_trios.ormcodigital.tasks import (
        Address,
        Done,
        Failed,
        Reply,
        Task,
        TaskAnswer,
        TaskKind,
    )

_HOME = {
    "Address": "ormcodigital.tasks",
    "ApprovalUpdate": "communicate.approval",
    "ApprovalWait": "communicate.approval",
    "AsyncBrowserPortal": "ormcodigital.browser.async_portal",
    "AsyncCommunicateClient": "communicate.async_client",
    "AsyncManualPortal": "ormcodigital.manual",
    "AsyncOAuthClient": "oauth.async_client",
    "AsyncOnboarding": "onboarding.async_onboarding",
    "AsyncOrmcoDigitalClient": "ormcodigital.async_client",
    "AsyncRedirectReceiver": "oauth.async_receiver",
    "AsyncTaskPage": "onboarding.async_task_page",
    "AsyncTokenStore": "oauth.token",
    "AuditEvent": "core.events",
    "AuthorizationCode": "oauth.code",
    "AuthorizationRequest": "oauth.request",
    "AuthorizationServer": "oauth.server",
    "BrowserPortal": "ormcodigital.browser.portal",
    "CallEvent": "core.events",
    "Case": "communicate.models",
    "CaseCursor": "communicate.case_sync",
    "CaseFile": "communicate.models",
    "CaseWindow": "communicate.case_sync",
    "Checklist": "onboarding.checklist",
    "Clock": "core.clock",
    "CodeShape": "oauth.shape",
    "CommunicateClient": "communicate.client",
    "Connected": "onboarding.outcomes",
    "Connection": "communicate.models",
    "ConnectionState": "communicate.models",
    "Diagnosis": "onboarding.doctor",
    "Disconnected": "onboarding.repair",
    "Done": "ormcodigital.tasks",
    "Download": "communicate.case_files",
    "Environment": "core.environment",
    "Failed": "ormcodigital.tasks",
    "FileTokenStore": "oauth.stores",
    "Finding": "onboarding.doctor",
    "Interruption": "onboarding.outcomes",
    "KeyringTokenStore": "oauth.stores",
    "ManualPortal": "ormcodigital.manual",
    "MemoryTokenStore": "oauth.stores",
    "NeedsAuthorization": "onboarding.outcomes",
    "NeedsPerson": "onboarding.outcomes",
    "OAuthClient": "oauth.client",
    "Onboarding": "onboarding.onboarding",
    "OrmcoDigitalClient": "ormcodigital.client",
    "Outcome": "onboarding.outcomes",
    "OverallState": "onboarding.checklist",
    "Place": "onboarding.repair",
    "PlaceState": "onboarding.repair",
    "PollSchedule": "communicate.approval",
    "Progress": "onboarding.outcomes",
    "Purpose": "onboarding.outcomes",
    "RedirectReceiver": "oauth.receiver",
    "Region": "communicate.regions",
    "Repair": "onboarding.outcomes",
    "Repaired": "onboarding.outcomes",
    "Reply": "ormcodigital.tasks",
    "Retry": "core.retry",
    "Source": "ormcodigital.facts",
    "Step": "onboarding.checklist",
    "StepName": "onboarding.checklist",
    "StepState": "onboarding.checklist",
    "SubmissionMethod": "ormcodigital.models",
    "Task": "ormcodigital.tasks",
    "TaskAnswer": "ormcodigital.tasks",
    "TaskKind": "ormcodigital.tasks",
    "TaskPage": "onboarding.task_page",
    "Timeout": "core.transport",
    "Token": "oauth.token",
    "TokenBucket": "core.pacing",
    "TokenStore": "oauth.token",
    "UnrecognisedCodeWarning": "oauth.code",
    "User": "communicate.models",
    "Waiting": "onboarding.outcomes",
}

__all__ = [
    "Address",
    "ApprovalUpdate",
    "ApprovalWait",
    "AsyncBrowserPortal",
    "AsyncCommunicateClient",
    "AsyncManualPortal",
    "AsyncOAuthClient",
    "AsyncOnboarding",
    "AsyncOrmcoDigitalClient",
    "AsyncRedirectReceiver",
    "AsyncTaskPage",
    "AsyncTokenStore",
    "AuditEvent",
    "AuthorizationCode",
    "AuthorizationRequest",
    "AuthorizationServer",
    "BrowserPortal",
    "CallEvent",
    "Case",
    "CaseCursor",
    "CaseFile",
    "CaseWindow",
    "Checklist",
    "Clock",
    "CodeShape",
    "CommunicateClient",
    "Connected",
    "Connection",
    "ConnectionState",
    "Diagnosis",
    "Disconnected",
    "Done",
    "Download",
    "Environment",
    "Failed",
    "FileTokenStore",
    "Finding",
    "Interruption",
    "KeyringTokenStore",
    "ManualPortal",
    "MemoryTokenStore",
    "NeedsAuthorization",
    "NeedsPerson",
    "OAuthClient",
    "Onboarding",
    "OrmcoDigitalClient",
    "Outcome",
    "OverallState",
    "Place",
    "PlaceState",
    "PollSchedule",
    "Progress",
    "Purpose",
    "RedirectReceiver",
    "Region",
    "Repair",
    "Repaired",
    "Reply",
    "Retry",
    "Source",
    "Step",
    "StepName",
    "StepState",
    "SubmissionMethod",
    "Task",
    "TaskAnswer",
    "TaskKind",
    "TaskPage",
    "Timeout",
    "Token",
    "TokenBucket",
    "TokenStore",
    "UnrecognisedCodeWarning",
    "User",
    "Waiting",
    "__version__",
    "errors",
]


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("ormco_trios.core.errors")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ormco_trios' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"ormco_trios.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
