"""Decisions, coded declines, planning runs and their proposals.

Revision: 0004, after 0003
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "planning_run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("network_position", sa.Integer(), nullable=True),
        sa.Column("policy_version", sa.Text(), nullable=True),
        sa.Column("snapshot_hash", sa.Text(), nullable=True),
        sa.Column("snapshot", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("levels", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("unplaced", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("seconds", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'solved', 'applied', 'superseded', 'failed')",
            name=op.f("ck_planning_run_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planning_run")),
    )
    op.create_table(
        "placement_decision",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("bed_id", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("network_position", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("alternatives", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("overrides", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["bed_id"], ["bed.id"], name=op.f("fk_placement_decision_bed_id")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_placement_decision_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placement_decision")),
    )
    op.create_index(
        op.f("ix_placement_decision_request_id"), "placement_decision", ["request_id"], unique=False
    )
    op.create_table(
        "decline",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.Text(), nullable=True),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("declined_by", sa.Text(), nullable=False),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(request_id, transfer_id) = 1", name=op.f("ck_decline_about_one")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_decline_request_id")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfer.id"], name=op.f("fk_decline_transfer_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_decline_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decline")),
    )
    op.create_index(op.f("ix_decline_request_id"), "decline", ["request_id"], unique=False)
    op.create_index(op.f("ix_decline_transfer_id"), "decline", ["transfer_id"], unique=False)
    op.create_table(
        "plan_proposal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("move_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("from_bed_id", sa.Text(), nullable=True),
        sa.Column("to_bed_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("displaced_for", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("after", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('place_waiting', 'right_a_misplaced', 'make_room', 'step_down')",
            name=op.f("ck_plan_proposal_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'rejected', 'superseded')",
            name=op.f("ck_plan_proposal_state"),
        ),
        sa.ForeignKeyConstraint(
            ["from_bed_id"], ["bed.id"], name=op.f("fk_plan_proposal_from_bed_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_plan_proposal_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_plan_proposal_request_id")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["planning_run.id"], name=op.f("fk_plan_proposal_run_id")
        ),
        sa.ForeignKeyConstraint(["to_bed_id"], ["bed.id"], name=op.f("fk_plan_proposal_to_bed_id")),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfer.id"], name=op.f("fk_plan_proposal_transfer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_proposal")),
    )
    op.create_index(
        op.f("ix_plan_proposal_person_id"), "plan_proposal", ["person_id"], unique=False
    )
    op.create_index(op.f("ix_plan_proposal_run_id"), "plan_proposal", ["run_id"], unique=False)
    op.create_index(
        "uq_plan_proposal_run_id_ordinal", "plan_proposal", ["run_id", "ordinal"], unique=True
    )


def downgrade() -> None:
    """Take it back to the one before."""
    op.drop_index("uq_plan_proposal_run_id_ordinal", table_name="plan_proposal")
    op.drop_index(op.f("ix_plan_proposal_run_id"), table_name="plan_proposal")
    op.drop_index(op.f("ix_plan_proposal_person_id"), table_name="plan_proposal")
    op.drop_table("plan_proposal")
    op.drop_index(op.f("ix_decline_transfer_id"), table_name="decline")
    op.drop_index(op.f("ix_decline_request_id"), table_name="decline")
    op.drop_table("decline")
    op.drop_index(op.f("ix_placement_decision_request_id"), table_name="placement_decision")
    op.drop_table("placement_decision")
    op.drop_table("planning_run")
