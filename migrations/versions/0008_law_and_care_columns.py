"""What law and care add to people, consents, requests, stays and transfers.

Revision: 0008, after 0007
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column(
        "assessment",
        sa.Column("nursing_level", sa.Text(), nullable=False, server_default=sa.text("'unknown'")),
    )
    op.add_column(
        "assessment",
        sa.Column("critical", sa.Text(), nullable=False, server_default=sa.text("'unknown'")),
    )
    op.add_column(
        "assessment",
        sa.Column("triage", sa.Text(), nullable=False, server_default=sa.text("'unknown'")),
    )
    op.add_column("consent", sa.Column("given_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("consent", sa.Column("place", sa.Text(), nullable=True))
    op.add_column(
        "consent",
        sa.Column(
            "takers", postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")
        ),
    )
    op.add_column("consent", sa.Column("witness", sa.LargeBinary(), nullable=True))
    op.add_column("consent", sa.Column("capable", sa.Text(), nullable=True))
    op.add_column("consent", sa.Column("capacity_by", sa.Text(), nullable=True))
    op.add_column("consent", sa.Column("capacity_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "consent",
        sa.Column(
            "told_alternatives", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
    )
    op.add_column(
        "consent",
        sa.Column(
            "told_no_adverse_effect", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
    )
    op.add_column(
        "consent", sa.Column("sober", sa.Boolean(), nullable=False, server_default=sa.text("true"))
    )
    op.add_column("consent", sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("consent", sa.Column("repeated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "consent",
        sa.Column("refused", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.add_column("consent", sa.Column("withdrawn_by", sa.Text(), nullable=True))
    op.add_column("consent", sa.Column("withdrawal_recorded_by", sa.Text(), nullable=True))
    op.add_column("consent", sa.Column("over_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_consent_running",
        "consent",
        ["ends_on"],
        unique=False,
        postgresql_where=sa.text("NOT refused AND withdrawn_at IS NULL AND over_at IS NULL"),
    )
    op.add_column("bed_claim", sa.Column("move_reason", sa.Text(), nullable=True))
    op.add_column("decline", sa.Column("overruled_by", sa.Text(), nullable=True))
    op.add_column("decline", sa.Column("overruled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("decline", sa.Column("overrule_reason", sa.Text(), nullable=True))
    op.add_column(
        "person",
        sa.Column("identified", sa.Boolean(), nullable=False, server_default=sa.text("true")),
    )
    op.add_column("person", sa.Column("guardian", sa.LargeBinary(), nullable=True))
    op.add_column("person", sa.Column("nursing_child_born_on", sa.Date(), nullable=True))
    op.add_column(
        "person",
        sa.Column("sole_carer", sa.Text(), nullable=False, server_default=sa.text("'unknown'")),
    )
    op.alter_column("person", "sex", existing_type=sa.TEXT(), nullable=True)
    op.add_column(
        "placement_decision",
        sa.Column(
            "fallbacks", postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")
        ),
    )
    op.add_column(
        "placement_decision",
        sa.Column("passed_over", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.add_column("placement_decision", sa.Column("passed_over_reason", sa.Text(), nullable=True))
    op.add_column(
        "placement_request",
        sa.Column("kind", sa.Text(), nullable=False, server_default=sa.text("'admission'")),
    )
    op.add_column(
        "placement_request", sa.Column("responsible_facility_id", sa.Text(), nullable=True)
    )
    op.add_column(
        "placement_request",
        sa.Column(
            "fallbacks", postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")
        ),
    )
    op.add_column("placement_request", sa.Column("lane", sa.Text(), nullable=True))
    op.create_foreign_key(
        op.f("fk_placement_request_responsible_facility_id"),
        "placement_request",
        "facility",
        ["responsible_facility_id"],
        ["id"],
    )
    op.add_column("stay", sa.Column("responsible_facility_id", sa.Text(), nullable=True))
    op.add_column("stay", sa.Column("discharge_due_code", sa.Text(), nullable=True))
    op.add_column("stay", sa.Column("review_on", sa.Date(), nullable=True))
    op.create_foreign_key(
        op.f("fk_stay_responsible_facility_id"),
        "stay",
        "facility",
        ["responsible_facility_id"],
        ["id"],
    )
    op.add_column(
        "transfer",
        sa.Column(
            "acceptances",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'[]'"),
        ),
    )
    op.add_column(
        "transfer",
        sa.Column(
            "escorts",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'[]'"),
        ),
    )
    op.add_column("transfer", sa.Column("vehicle", sa.Text(), nullable=True))
    op.add_column(
        "transfer",
        sa.Column(
            "care_flags",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'"),
        ),
    )
    op.add_column("transfer", sa.Column("handover", sa.LargeBinary(), nullable=True))
    op.add_column("transfer", sa.Column("handover_by", sa.Text(), nullable=True))
    op.add_column(
        "transfer",
        sa.Column("arrival_check", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )
    op.alter_column("assessment", "nursing_level", server_default=None)
    op.alter_column("assessment", "critical", server_default=None)
    op.alter_column("assessment", "triage", server_default=None)
    op.drop_constraint(op.f("ck_api_key_facility_scope"), "api_key", type_="check")
    op.create_check_constraint(
        op.f("ck_api_key_facility_scope"),
        "api_key",
        "role = 'clinician' OR "
        "(role IN ('facility_admin', 'integration')) = (facility_id IS NOT NULL)",
    )
    op.alter_column("consent", "takers", server_default=None)
    op.alter_column("consent", "told_alternatives", server_default=None)
    op.alter_column("consent", "told_no_adverse_effect", server_default=None)
    op.alter_column("consent", "sober", server_default=None)
    op.alter_column("consent", "refused", server_default=None)
    op.alter_column("person", "identified", server_default=None)
    op.alter_column("person", "sole_carer", server_default=None)
    op.alter_column("placement_decision", "fallbacks", server_default=None)
    op.alter_column("placement_decision", "passed_over", server_default=None)
    op.alter_column("placement_request", "kind", server_default=None)
    op.alter_column("placement_request", "fallbacks", server_default=None)
    op.alter_column("transfer", "acceptances", server_default=None)
    op.alter_column("transfer", "escorts", server_default=None)
    op.alter_column("transfer", "care_flags", server_default=None)
    op.create_check_constraint(
        op.f("ck_assessment_nursing_level"),
        "assessment",
        "nursing_level IN ('special', 'first', 'second', 'third', 'unknown')",
    )
    op.create_check_constraint(
        op.f("ck_assessment_critical"),
        "assessment",
        "critical IN ('none', 'serious', 'critical', 'unknown')",
    )
    op.create_check_constraint(
        op.f("ck_assessment_triage"), "assessment", "triage IN ('I', 'II', 'III', 'IV', 'unknown')"
    )
    op.create_check_constraint(
        op.f("ck_consent_capable"), "consent", "capable IN ('yes', 'no', 'unknown')"
    )
    op.create_check_constraint(
        op.f("ck_person_sole_carer"), "person", "sole_carer IN ('yes', 'no', 'unknown')"
    )
    op.create_check_constraint(
        op.f("ck_person_sex_known"), "person", "sex IS NOT NULL OR NOT identified"
    )
    op.create_check_constraint(
        op.f("ck_placement_request_kind"), "placement_request", "kind IN ('admission', 'return')"
    )
    op.drop_constraint(op.f("ck_legal_basis_kind"), "legal_basis")
    op.create_check_constraint(
        op.f("ck_legal_basis_kind"),
        "legal_basis",
        "kind IN ('compulsory', 'constrained', 'voluntary', 'voluntary_in_centre', 'out_medical', 'involuntary_psychiatric')",
    )
    op.drop_constraint(op.f("ck_legal_basis_body"), "legal_basis")
    op.create_check_constraint(
        op.f("ck_legal_basis_body"),
        "legal_basis",
        "body IN ('county_police', 'city_police', 'province_police', 'justice_bureau', 'hospital', 'court', 'centre', 'province_justice', 'street_office')",
    )
    op.drop_constraint(op.f("ck_unit_bases"), "unit")
    op.create_check_constraint(
        op.f("ck_unit_bases"),
        "unit",
        "bases <@ ARRAY['compulsory', 'constrained', 'voluntary', 'voluntary_in_centre', 'out_medical', 'involuntary_psychiatric']::text[]",
    )
    op.drop_constraint(op.f("ck_stay_end_code"), "stay")
    op.create_check_constraint(
        op.f("ck_stay_end_code"),
        "stay",
        "end_code IN ('released', 'discharged', 'transferred', 'consent_withdrawn', 'escaped', 'died', 'leave_lapsed', 'entered_in_error')",
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_constraint(op.f("ck_legal_basis_kind"), "legal_basis")
    op.create_check_constraint(
        op.f("ck_legal_basis_kind"),
        "legal_basis",
        "kind IN ('compulsory', 'constrained', 'voluntary', 'voluntary_in_centre', 'out_medical')",
    )
    op.drop_constraint(op.f("ck_legal_basis_body"), "legal_basis")
    op.create_check_constraint(
        op.f("ck_legal_basis_body"),
        "legal_basis",
        "body IN ('county_police', 'city_police', 'province_police', 'justice_bureau', 'hospital', 'court')",
    )
    op.drop_constraint(op.f("ck_unit_bases"), "unit")
    op.create_check_constraint(
        op.f("ck_unit_bases"),
        "unit",
        "bases <@ ARRAY['compulsory', 'constrained', 'voluntary', 'voluntary_in_centre', 'out_medical']::text[]",
    )
    op.drop_constraint(op.f("ck_stay_end_code"), "stay")
    op.create_check_constraint(
        op.f("ck_stay_end_code"),
        "stay",
        "end_code IN ('released', 'discharged', 'transferred', 'consent_withdrawn', 'escaped', 'died', 'entered_in_error')",
    )
    op.drop_constraint(op.f("ck_person_sex_known"), "person")
    op.alter_column("person", "sex", nullable=False)
    op.drop_column("transfer", "arrival_check")
    op.drop_column("transfer", "handover_by")
    op.drop_column("transfer", "handover")
    op.drop_column("transfer", "care_flags")
    op.drop_column("transfer", "vehicle")
    op.drop_column("transfer", "escorts")
    op.drop_column("transfer", "acceptances")
    op.drop_column("stay", "review_on")
    op.drop_column("stay", "discharge_due_code")
    op.drop_column("stay", "responsible_facility_id")
    op.drop_column("placement_request", "lane")
    op.drop_column("placement_request", "fallbacks")
    op.drop_column("placement_request", "responsible_facility_id")
    op.drop_column("placement_request", "kind")
    op.drop_column("placement_decision", "passed_over_reason")
    op.drop_column("placement_decision", "passed_over")
    op.drop_column("placement_decision", "fallbacks")
    op.drop_column("person", "sole_carer")
    op.drop_column("person", "nursing_child_born_on")
    op.drop_column("person", "guardian")
    op.drop_column("person", "identified")
    op.drop_column("decline", "overrule_reason")
    op.drop_column("decline", "overruled_at")
    op.drop_column("decline", "overruled_by")
    op.drop_column("bed_claim", "move_reason")
    op.execute("UPDATE api_key SET facility_id = NULL WHERE role = 'clinician'")
    op.drop_constraint(op.f("ck_api_key_facility_scope"), "api_key", type_="check")
    op.create_check_constraint(
        op.f("ck_api_key_facility_scope"),
        "api_key",
        "(role IN ('facility_admin', 'integration')) = (facility_id IS NOT NULL)",
    )
    op.drop_index("ix_consent_running", table_name="consent")
    op.drop_column("consent", "over_at")
    op.drop_column("consent", "withdrawal_recorded_by")
    op.drop_column("consent", "withdrawn_by")
    op.drop_column("consent", "refused")
    op.drop_column("consent", "repeated_at")
    op.drop_column("consent", "lapses_at")
    op.drop_column("consent", "sober")
    op.drop_column("consent", "told_no_adverse_effect")
    op.drop_column("consent", "told_alternatives")
    op.drop_column("consent", "capacity_at")
    op.drop_column("consent", "capacity_by")
    op.drop_column("consent", "capable")
    op.drop_column("consent", "witness")
    op.drop_column("consent", "takers")
    op.drop_column("consent", "place")
    op.drop_column("consent", "given_at")
    op.drop_column("assessment", "triage")
    op.drop_column("assessment", "critical")
    op.drop_column("assessment", "nursing_level")
