"""Requests, stays, transfers, and the claims whose constraints forbid a double booking.

Revision: 0003, after 0002
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "placement_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'held', 'accepted', 'admitted', 'not_arrived', 'withdrawn', 'refused', 'no_lawful_bed')",
            name=op.f("ck_placement_request_state"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_placement_request_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placement_request")),
    )
    op.create_index(
        op.f("ix_placement_request_person_id"), "placement_request", ["person_id"], unique=False
    )
    op.create_index("ix_placement_request_state", "placement_request", ["state"], unique=False)
    op.create_index(
        "uq_placement_request_live_person",
        "placement_request",
        ["person_id"],
        unique=True,
        postgresql_where="state IN ('waiting', 'held', 'accepted')",
    )
    op.create_table(
        "stay",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("basis_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("admission_officer", sa.Text(), nullable=True),
        sa.Column("admission_reason", sa.Text(), nullable=True),
        sa.Column("expected_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_code", sa.Text(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_stay_ended")
        ),
        sa.CheckConstraint(
            "end_code IN ('released', 'discharged', 'transferred', 'consent_withdrawn', 'escaped', 'died', 'entered_in_error')",
            name=op.f("ck_stay_end_code"),
        ),
        sa.CheckConstraint(
            "state IN ('active', 'on_leave', 'discharge_due', 'ended')", name=op.f("ck_stay_state")
        ),
        sa.CheckConstraint("ended_at >= admitted_at", name=op.f("ck_stay_order")),
        sa.ForeignKeyConstraint(["basis_id"], ["legal_basis.id"], name=op.f("fk_stay_basis_id")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_stay_facility_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_stay_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stay")),
    )
    op.create_index(op.f("ix_stay_facility_id"), "stay", ["facility_id"], unique=False)
    op.create_index(op.f("ix_stay_person_id"), "stay", ["person_id"], unique=False)
    op.create_index(
        "ix_stay_person_id_open",
        "stay",
        ["person_id"],
        unique=False,
        postgresql_where="ended_at IS NULL",
    )
    op.create_table(
        "transfer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("stay_id", sa.Text(), nullable=False),
        sa.Column("from_bed_id", sa.Text(), nullable=False),
        sa.Column("to_bed_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_text", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approval_reason", sa.Text(), nullable=True),
        sa.Column("expected_arrival", sa.DateTime(timezone=True), nullable=True),
        sa.Column("departed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('place_waiting', 'right_a_misplaced', 'make_room', 'step_down')",
            name=op.f("ck_transfer_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'accepted', 'in_transit', 'completed', 'rejected', 'declined', 'cancelled', 'superseded', 'expired', 'turned_back', 'diverted', 'escaped', 'died')",
            name=op.f("ck_transfer_state"),
        ),
        sa.ForeignKeyConstraint(["from_bed_id"], ["bed.id"], name=op.f("fk_transfer_from_bed_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_transfer_person_id")),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_transfer_stay_id")),
        sa.ForeignKeyConstraint(["to_bed_id"], ["bed.id"], name=op.f("fk_transfer_to_bed_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
    )
    op.create_index(op.f("ix_transfer_person_id"), "transfer", ["person_id"], unique=False)
    op.create_index(op.f("ix_transfer_stay_id"), "transfer", ["stay_id"], unique=False)
    op.create_index(
        "uq_transfer_live_person",
        "transfer",
        ["person_id"],
        unique=True,
        postgresql_where="state IN ('proposed', 'approved', 'accepted', 'in_transit')",
    )
    op.create_table(
        "bed_claim",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("bed_id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("mix_key", sa.Text(), nullable=True),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column("stay_id", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.Text(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expected_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lapsed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        postgresql.ExcludeConstraint(
            (sa.column("bed_id"), "="),
            (sa.column("during"), "&&"),
            where=sa.text("voided_at IS NULL"),
            deferrable="True",
            initially="IMMEDIATE",
            using="gist",
            name="ex_bed_claim_bed",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("person_id"), "="),
            (sa.column("during"), "&&"),
            where=sa.text("voided_at IS NULL AND kind = 'stay'"),
            deferrable="True",
            initially="IMMEDIATE",
            using="gist",
            name="ex_bed_claim_person_stay",
        ),
        postgresql.ExcludeConstraint(
            (sa.column("room_id"), "="),
            (sa.column("mix_key"), "<>"),
            (sa.column("during"), "&&"),
            where=sa.text("voided_at IS NULL AND NOT emergency"),
            deferrable="True",
            initially="IMMEDIATE",
            using="gist",
            name="ex_bed_claim_room_mix",
        ),
        sa.CheckConstraint(
            "kind = 'hold' OR stay_id IS NOT NULL", name=op.f("ck_bed_claim_segment_of_stay")
        ),
        sa.CheckConstraint("kind IN ('hold', 'stay', 'leave')", name=op.f("ck_bed_claim_kind")),
        sa.CheckConstraint(
            "(voided_at IS NULL) = (void_reason IS NULL)", name=op.f("ck_bed_claim_void_reason")
        ),
        sa.CheckConstraint("NOT isempty(during)", name=op.f("ck_bed_claim_during_not_empty")),
        sa.CheckConstraint("lower(during) IS NOT NULL", name=op.f("ck_bed_claim_during_begins")),
        sa.ForeignKeyConstraint(["bed_id"], ["bed.id"], name=op.f("fk_bed_claim_bed_id")),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_bed_claim_facility_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_bed_claim_person_id")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_bed_claim_request_id")
        ),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_bed_claim_room_id")),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_bed_claim_stay_id")),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfer.id"], name=op.f("fk_bed_claim_transfer_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_bed_claim_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bed_claim")),
    )
    op.create_index(
        "ix_bed_claim_hold_end",
        "bed_claim",
        [sa.literal_column("upper(during)")],
        unique=False,
        postgresql_where=sa.text(
            "kind = 'hold' AND voided_at IS NULL AND lapsed_at IS NULL AND used_at IS NULL"
        ),
    )
    op.create_index("ix_bed_claim_person_id", "bed_claim", ["person_id"], unique=False)
    op.create_index("ix_bed_claim_request_id", "bed_claim", ["request_id"], unique=False)
    op.create_index("ix_bed_claim_stay_id", "bed_claim", ["stay_id"], unique=False)
    op.create_index(op.f("ix_bed_claim_unit_id"), "bed_claim", ["unit_id"], unique=False)
    op.create_table(
        "bed_next",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("bed_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.Text(), nullable=True),
        sa.Column("waits_for_stay_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('live', 'kept', 'cancelled')", name=op.f("ck_bed_next_state")
        ),
        sa.CheckConstraint(
            "num_nonnulls(request_id, transfer_id) = 1", name=op.f("ck_bed_next_promised_to_one")
        ),
        sa.ForeignKeyConstraint(["bed_id"], ["bed.id"], name=op.f("fk_bed_next_bed_id")),
        sa.ForeignKeyConstraint(["claim_id"], ["bed_claim.id"], name=op.f("fk_bed_next_claim_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_bed_next_person_id")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_bed_next_request_id")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfer.id"], name=op.f("fk_bed_next_transfer_id")
        ),
        sa.ForeignKeyConstraint(
            ["waits_for_stay_id"], ["stay.id"], name=op.f("fk_bed_next_waits_for_stay_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bed_next")),
    )
    op.create_index(
        "uq_bed_next_live", "bed_next", ["bed_id"], unique=True, postgresql_where="state = 'live'"
    )
    op.create_index(
        "uq_bed_next_live_person",
        "bed_next",
        ["person_id"],
        unique=True,
        postgresql_where="state = 'live'",
    )


def downgrade() -> None:
    """Take it back to the one before."""
    op.drop_index(
        "uq_bed_next_live_person", table_name="bed_next", postgresql_where="state = 'live'"
    )
    op.drop_index("uq_bed_next_live", table_name="bed_next", postgresql_where="state = 'live'")
    op.drop_table("bed_next")
    op.drop_index(op.f("ix_bed_claim_unit_id"), table_name="bed_claim")
    op.drop_index("ix_bed_claim_stay_id", table_name="bed_claim")
    op.drop_index("ix_bed_claim_request_id", table_name="bed_claim")
    op.drop_index("ix_bed_claim_person_id", table_name="bed_claim")
    op.drop_index(
        "ix_bed_claim_hold_end",
        table_name="bed_claim",
        postgresql_where=sa.text(
            "kind = 'hold' AND voided_at IS NULL AND lapsed_at IS NULL AND used_at IS NULL"
        ),
    )
    op.drop_table("bed_claim")
    op.drop_index(
        "uq_transfer_live_person",
        table_name="transfer",
        postgresql_where="state IN ('proposed', 'approved', 'accepted', 'in_transit')",
    )
    op.drop_index(op.f("ix_transfer_stay_id"), table_name="transfer")
    op.drop_index(op.f("ix_transfer_person_id"), table_name="transfer")
    op.drop_table("transfer")
    op.drop_index("ix_stay_person_id_open", table_name="stay", postgresql_where="ended_at IS NULL")
    op.drop_index(op.f("ix_stay_person_id"), table_name="stay")
    op.drop_index(op.f("ix_stay_facility_id"), table_name="stay")
    op.drop_table("stay")
    op.drop_index(
        "uq_placement_request_live_person",
        table_name="placement_request",
        postgresql_where="state IN ('waiting', 'held', 'accepted')",
    )
    op.drop_index("ix_placement_request_state", table_name="placement_request")
    op.drop_index(op.f("ix_placement_request_person_id"), table_name="placement_request")
    op.drop_table("placement_request")
