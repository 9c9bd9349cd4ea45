"""Screening, restraint, clocks, places that became wrong, roll counts, people's own words.

Revision: 0007, after 0006
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "screening",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("consciousness", sa.Text(), nullable=False),
        sa.Column("bleeding", sa.Text(), nullable=False),
        sa.Column("cough_or_fever", sa.Text(), nullable=False),
        sa.Column("self_harm", sa.Text(), nullable=False),
        sa.Column("last_alcohol_or_sedative", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("screened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("screened_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "bleeding IN ('yes', 'no', 'unknown')", name=op.f("ck_screening_bleeding")
        ),
        sa.CheckConstraint(
            "consciousness IN ('alert', 'drowsy', 'confused', 'unresponsive', 'unknown')",
            name=op.f("ck_screening_consciousness"),
        ),
        sa.CheckConstraint(
            "cough_or_fever IN ('yes', 'no', 'unknown')", name=op.f("ck_screening_cough_or_fever")
        ),
        sa.CheckConstraint(
            "last_alcohol_or_sedative IN ('never', 'over_72h', 'within_72h', 'within_24h', 'unknown')",
            name=op.f("ck_screening_last_alcohol_or_sedative"),
        ),
        sa.CheckConstraint(
            "outcome IN ('none', 'clear', 'caution', 'red_flag')", name=op.f("ck_screening_outcome")
        ),
        sa.CheckConstraint(
            "self_harm IN ('yes', 'no', 'unknown')", name=op.f("ck_screening_self_harm")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_screening_person_id")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_screening_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening")),
    )
    op.create_index(
        "ix_screening_person_id_screened_at",
        "screening",
        ["person_id", "screened_at"],
        unique=False,
    )
    op.create_table(
        "restraint",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("stay_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("ordered_by", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.Text(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('restraint', 'isolation')", name=op.f("ck_restraint_kind")),
        sa.CheckConstraint("ended_at >= began_at", name=op.f("ck_restraint_order")),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval.id"], name=op.f("fk_restraint_approval_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_restraint_person_id")),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_restraint_stay_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restraint")),
    )
    op.create_index(op.f("ix_restraint_person_id"), "restraint", ["person_id"], unique=False)
    op.create_index(
        "uq_restraint_open",
        "restraint",
        ["person_id"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )
    op.create_table(
        "refusal_record",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("rules", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refused_to", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_refusal_record_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_refusal_record_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal_record")),
    )
    op.create_index(
        "ix_refusal_record_person_id_refused_at",
        "refusal_record",
        ["person_id", "refused_at"],
        unique=False,
    )
    op.create_table(
        "due_item",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("facility_id", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (outcome IS NULL)", name=op.f("ck_due_item_settled")
        ),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_due_item_facility_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_due_item_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_due_item")),
    )
    op.create_index(
        "ix_due_item_open_due",
        "due_item",
        ["due_at"],
        unique=False,
        postgresql_where="settled_at IS NULL",
    )
    op.create_index(
        "ix_due_item_open_facility",
        "due_item",
        ["facility_id"],
        unique=False,
        postgresql_where="settled_at IS NULL",
    )
    op.create_index("ix_due_item_person_id", "due_item", ["person_id"], unique=False)
    op.create_index(
        "uq_due_item_open",
        "due_item",
        ["kind", "subject_type", "subject_id"],
        unique=True,
        postgresql_where="settled_at IS NULL",
    )
    op.create_table(
        "misplacement",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stay_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("bed_id", sa.Text(), nullable=False),
        sa.Column("rules", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["bed_id"], ["bed.id"], name=op.f("fk_misplacement_bed_id")),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_misplacement_facility_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_misplacement_person_id")
        ),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_misplacement_stay_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_misplacement_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_misplacement")),
    )
    op.create_index(op.f("ix_misplacement_person_id"), "misplacement", ["person_id"], unique=False)
    op.create_index(
        "uq_misplacement_open",
        "misplacement",
        ["stay_id"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )
    op.create_table(
        "discrepancy",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("bed_id", sa.Text(), nullable=True),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("subject_type", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('declined_free_bed', 'missing', 'not_on_record', 'wrong_bed')",
            name=op.f("ck_discrepancy_kind"),
        ),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolution IS NULL)", name=op.f("ck_discrepancy_resolved")
        ),
        sa.ForeignKeyConstraint(["bed_id"], ["bed.id"], name=op.f("fk_discrepancy_bed_id")),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_discrepancy_facility_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_discrepancy_person_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_discrepancy_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discrepancy")),
    )
    op.create_index(
        "ix_discrepancy_open_facility",
        "discrepancy",
        ["facility_id"],
        unique=False,
        postgresql_where="resolved_at IS NULL",
    )
    op.create_table(
        "roll_count",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("shift", sa.Text(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["facility_id"], ["facility.id"], name=op.f("fk_roll_count_facility_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_roll_count_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roll_count")),
    )
    op.create_index(
        "uq_roll_count_unit_id_day_shift", "roll_count", ["unit_id", "day", "shift"], unique=True
    )
    op.create_table(
        "personal_word",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("about_type", sa.Text(), nullable=True),
        sa.Column("about_id", sa.Text(), nullable=True),
        sa.Column("units", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('objection', 'complaint', 'review', 'wish')",
            name=op.f("ck_personal_word_kind"),
        ),
        sa.CheckConstraint(
            "said_by IN ('person', 'guardian', 'family', 'lawyer')",
            name=op.f("ck_personal_word_said_by"),
        ),
        sa.CheckConstraint(
            "(answered_at IS NULL) = (answer IS NULL)", name=op.f("ck_personal_word_answered")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_personal_word_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_word")),
    )
    op.create_index(
        "ix_personal_word_about", "personal_word", ["about_type", "about_id"], unique=False
    )
    op.create_index(
        op.f("ix_personal_word_person_id"), "personal_word", ["person_id"], unique=False
    )
    op.create_table(
        "audit_flag",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("subject_type", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("raised_by", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_by", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_audit_flag_person_id")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["placement_request.id"], name=op.f("fk_audit_flag_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_flag")),
    )
    op.create_index(op.f("ix_audit_flag_person_id"), "audit_flag", ["person_id"], unique=False)


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("audit_flag")
    op.drop_table("personal_word")
    op.drop_table("roll_count")
    op.drop_table("discrepancy")
    op.drop_table("misplacement")
    op.drop_table("due_item")
    op.drop_table("refusal_record")
    op.drop_table("restraint")
    op.drop_table("screening")
