"""Django: a management command that cron, or a scheduler of yours, runs each minute.

``Onboarding`` is a model of yours with a unique practice, a state and a moment at which it is due.
``select_for_update(skip_locked=True)`` lets several machines run the command at once.
"""

from __future__ import annotations

from datetime import timedelta

from django.core.management.base import BaseCommand
from django.db import connection, models, transaction
from django.utils import timezone
from practices import do_round


class PracticeOnboarding(models.Model):
    """A practice that is being connected."""

    practice = models.CharField(max_length=64, unique=True)
    due = models.DateTimeField(null=True, db_index=True)
    problem = models.TextField(blank=True)

    class Meta:
        app_label = "recipes"


class Command(BaseCommand):
    """Do what is due."""

    def handle(self, *args: object, **options: object) -> None:
        while self.one_round():
            pass

    @transaction.atomic
    def one_round(self) -> bool:
        """The round of one practice, which stays locked until it is kept."""
        waiting = PracticeOnboarding.objects.filter(due__lte=timezone.now()).order_by("due")
        if connection.features.has_select_for_update_skip_locked:
            waiting = waiting.select_for_update(skip_locked=True)
        row = waiting.first()
        if row is None:
            return False
        result = do_round(row.practice)
        row.problem = result.problem
        row.due = None
        if result.again_in is not None:
            row.due = timezone.now() + timedelta(seconds=result.again_in)
        row.save()
        return True
