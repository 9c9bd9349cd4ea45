"""Plans made again when something happens: what called for them, what they change, and why.

Revision: 0010, after 0009
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_WORK = ("pending", "ready", "failed")
_CODES = {
    "trigger": (
        "asked",
        "emergency",
        "closure",
        "isolation",
        "arrival",
        "discharge",
        "facts",
    ),
    "outcome": ("unchanged", "yielded"),
    "explained": _WORK,
    "worth_state": _WORK,
}
"""The columns of a run that hold a code, and which."""


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column(
        "planning_run",
        sa.Column("trigger", sa.Text(), nullable=False, server_default=sa.text("'asked'")),
    )
    op.alter_column("planning_run", "trigger", server_default=None)
    op.add_column("planning_run", sa.Column("trigger_position", sa.Integer(), nullable=True))
    op.add_column("planning_run", sa.Column("previous_run", sa.Text(), nullable=True))
    op.add_column("planning_run", sa.Column("changes", _JSON, nullable=True))
    op.add_column("planning_run", sa.Column("outcome", sa.Text(), nullable=True))
    op.add_column("planning_run", sa.Column("explained", sa.Text(), nullable=True))
    op.add_column("planning_run", sa.Column("worth", _JSON, nullable=True))
    op.add_column("planning_run", sa.Column("worth_state", sa.Text(), nullable=True))
    for column, codes in _CODES.items():
        listed = ", ".join(f"'{code}'" for code in codes)
        op.create_check_constraint(
            op.f(f"ck_planning_run_{column}"), "planning_run", f"{column} IN ({listed})"
        )
    op.create_foreign_key(
        op.f("fk_planning_run_previous_run"),
        "planning_run",
        "planning_run",
        ["previous_run"],
        ["id"],
    )
    op.create_index(
        "ix_planning_run_live",
        "planning_run",
        ["state"],
        unique=False,
        postgresql_where="state IN ('queued', 'running', 'solved')",
    )
    op.create_index(
        "ix_planning_run_network_position", "planning_run", ["network_position"], unique=False
    )
    op.create_table(
        "plan_explanation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("body", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_plan_explanation_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["placement_request.id"],
            name=op.f("fk_plan_explanation_request_id"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["planning_run.id"], name=op.f("fk_plan_explanation_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_explanation")),
    )
    op.create_index(
        op.f("ix_plan_explanation_person_id"), "plan_explanation", ["person_id"], unique=False
    )
    op.create_index(
        op.f("ix_plan_explanation_request_id"), "plan_explanation", ["request_id"], unique=False
    )
    op.create_index(
        "ix_plan_explanation_run_id_id", "plan_explanation", ["run_id", "id"], unique=False
    )
    op.add_column("plan_proposal", sa.Column("kept_from", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_plan_proposal_kept_from"),
        "plan_proposal",
        "plan_proposal",
        ["kept_from"],
        ["id"],
    )
    op.create_index(
        op.f("ix_plan_proposal_kept_from"), "plan_proposal", ["kept_from"], unique=False
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_index(op.f("ix_plan_proposal_kept_from"), table_name="plan_proposal")
    op.drop_constraint(op.f("fk_plan_proposal_kept_from"), "plan_proposal", type_="foreignkey")
    op.drop_column("plan_proposal", "kept_from")
    op.drop_table("plan_explanation")
    op.drop_index("ix_planning_run_network_position", table_name="planning_run")
    op.drop_index("ix_planning_run_live", table_name="planning_run")
    op.drop_constraint(op.f("fk_planning_run_previous_run"), "planning_run", type_="foreignkey")
    for column in ("worth_state", "worth", "explained", "outcome", "changes"):
        op.drop_column("planning_run", column)
    for column in ("previous_run", "trigger_position", "trigger"):
        op.drop_column("planning_run", column)
