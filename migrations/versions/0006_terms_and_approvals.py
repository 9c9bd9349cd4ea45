"""Terms, absences from them, approvals, opinions on questions of law, community measures.

Revision: 0006, after 0005
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The newest decision in force of each person gets its term. One whose days are over and whose
# person is in no bed ended as it should; one longer than two years was extended before it came here.
_TERMS_OF_EARLIER_DECISIONS = """
INSERT INTO term (id, person_id, basis_id, responsible_facility_id, decided_on, ends_on,
                  extension_days, escape_days, psc_since, closed_at, closed_by, end_code,
                  recorded_by, recorded_at, version)
SELECT 'tm_' || substr(md5(b.id), 1, 26), b.person_id, b.id, here.facility_id, b.starts_on,
       b.ends_on,
       LEAST(GREATEST(b.ends_on - ((b.starts_on + interval '2 years')::date - 1), 0), 366), 0,
       here.since,
       CASE WHEN b.over THEN (b.ends_on + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' END,
       CASE WHEN b.over THEN 'system' END,
       CASE WHEN b.over THEN 'expired' END,
       b.recorded_by, b.recorded_at, 1
FROM (
    SELECT DISTINCT ON (lb.person_id) lb.*,
           lb.ends_on < (clock_timestamp() AT TIME ZONE 'Asia/Shanghai')::date
           AND NOT EXISTS (SELECT FROM stay s
                           WHERE s.person_id = lb.person_id AND s.ended_at IS NULL) AS over
    FROM legal_basis lb
    WHERE lb.kind = 'compulsory' AND lb.revoked_at IS NULL
    ORDER BY lb.person_id, lb.recorded_at DESC, lb.id DESC
) b
LEFT JOIN LATERAL (
    SELECT (array_agg(c.facility_id ORDER BY lower(c.during) DESC))[1] AS facility_id,
           min((lower(c.during) AT TIME ZONE 'Asia/Shanghai')::date)
               FILTER (WHERE u.kind = 'PSC') AS since
    FROM bed_claim c JOIN unit u ON u.id = c.unit_id
    WHERE c.person_id = b.person_id AND c.voided_at IS NULL AND c.kind IN ('stay', 'leave')
      AND u.kind IN ('PSC', 'JSC')
      AND (lower(c.during) AT TIME ZONE 'Asia/Shanghai')::date >= b.starts_on
) here ON true
"""


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "term",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("basis_id", sa.Text(), nullable=False),
        sa.Column("responsible_facility_id", sa.Text(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("extension_days", sa.Integer(), nullable=False),
        sa.Column("escape_days", sa.Integer(), nullable=False),
        sa.Column("psc_since", sa.Date(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("end_code", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "end_code IN ('expired', 'released_early', 'changed_to_community', 'revoked', 'not_applicable', 'died')",
            name=op.f("ck_term_end_code"),
        ),
        sa.CheckConstraint("(closed_at IS NULL) = (end_code IS NULL)", name=op.f("ck_term_closed")),
        sa.CheckConstraint("decided_on <= ends_on", name=op.f("ck_term_days")),
        sa.CheckConstraint("escape_days >= 0", name=op.f("ck_term_escape_days")),
        sa.CheckConstraint("extension_days BETWEEN 0 AND 366", name=op.f("ck_term_extension_days")),
        sa.ForeignKeyConstraint(["basis_id"], ["legal_basis.id"], name=op.f("fk_term_basis_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_term_person_id")),
        sa.ForeignKeyConstraint(
            ["responsible_facility_id"],
            ["facility.id"],
            name=op.f("fk_term_responsible_facility_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_term")),
        sa.UniqueConstraint("basis_id", name=op.f("uq_term_basis_id")),
    )
    op.create_index(op.f("ix_term_person_id"), "term", ["person_id"], unique=False)
    op.create_index(
        "uq_term_open_person",
        "term",
        ["person_id"],
        unique=True,
        postgresql_where="closed_at IS NULL",
    )
    op.create_table(
        "term_absence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("term_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("began_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('escape', 'detention', 'arrest', 'out_medical')",
            name=op.f("ck_term_absence_kind"),
        ),
        sa.CheckConstraint("began_on <= ended_on", name=op.f("ck_term_absence_days")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_term_absence_person_id")
        ),
        sa.ForeignKeyConstraint(["term_id"], ["term.id"], name=op.f("fk_term_absence_term_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_term_absence")),
    )
    op.create_index(op.f("ix_term_absence_person_id"), "term_absence", ["person_id"], unique=False)
    op.create_index(op.f("ix_term_absence_term_id"), "term_absence", ["term_id"], unique=False)
    op.create_index(
        "uq_term_absence_open",
        "term_absence",
        ["term_id"],
        unique=True,
        postgresql_where="ended_on IS NULL",
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=True),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("organ", sa.Text(), nullable=False),
        sa.Column("approver", sa.LargeBinary(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('ward_move', 'centre_move', 'out_medical', 'out_medical_filing', 'early_release', 'extension', 'change_to_community', 'protective_restraint', 'voluntary_in_centre', 'community_rehab')",
            name=op.f("ck_approval_kind"),
        ),
        sa.CheckConstraint(
            "organ IN ('county_police', 'city_police', 'province_police', 'justice_bureau', 'hospital', 'court', 'centre', 'province_justice', 'street_office')",
            name=op.f("ck_approval_organ"),
        ),
        sa.CheckConstraint(
            "(subject_type IS NULL) = (subject_id IS NULL)", name=op.f("ck_approval_subject")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_approval_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index(op.f("ix_approval_person_id"), "approval", ["person_id"], unique=False)
    op.create_index("ix_approval_subject", "approval", ["subject_type", "subject_id"], unique=False)
    op.create_table(
        "opinion",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severe", sa.Boolean(), nullable=True),
        sa.Column("at_risk", sa.Boolean(), nullable=True),
        sa.Column("danger_case", sa.Text(), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=True),
        sa.Column("capable", sa.Text(), nullable=True),
        sa.Column("hospital", sa.Text(), nullable=False),
        sa.Column("doctors", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("capable IN ('yes', 'no', 'unknown')", name=op.f("ck_opinion_capable")),
        sa.CheckConstraint("danger_case IN ('a', 'b')", name=op.f("ck_opinion_danger_case")),
        sa.CheckConstraint(
            "kind IN ('joint_hospital', 'out_medical_need', 'psychiatric_diagnosis', 'rediagnosis', 'expert_opinion', 'reassessment', 'capacity')",
            name=op.f("ck_opinion_kind"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_opinion_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opinion")),
    )
    op.create_index("ix_opinion_person_id_kind", "opinion", ["person_id", "kind"], unique=False)
    op.create_table(
        "community_measure",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("organ", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("term_id", sa.Text(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("reported_on", sa.Date(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("ordered_months", sa.Integer(), nullable=True),
        sa.Column("set_off_days", sa.Integer(), nullable=False),
        sa.Column("paused_on", sa.Date(), nullable=True),
        sa.Column("paused_days", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_code", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "end_code IN ('expired', 'refused', 'breached', 'imprisoned', 'compulsory', 'revoked', 'died')",
            name=op.f("ck_community_measure_end_code"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (end_code IS NULL)", name=op.f("ck_community_measure_ended")
        ),
        sa.CheckConstraint(
            "kind IN ('community_detox', 'community_rehab')", name=op.f("ck_community_measure_kind")
        ),
        sa.CheckConstraint(
            "organ IN ('county_police', 'city_police', 'province_police', 'justice_bureau', 'hospital', 'court', 'centre', 'province_justice', 'street_office')",
            name=op.f("ck_community_measure_organ"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_community_measure_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["term_id"], ["term.id"], name=op.f("fk_community_measure_term_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_community_measure")),
    )
    op.create_index(
        op.f("ix_community_measure_person_id"), "community_measure", ["person_id"], unique=False
    )
    op.create_index(
        "uq_community_measure_open",
        "community_measure",
        ["person_id"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )

    op.create_table(
        "term_proposal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("term_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.Column("approval_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('early_release', 'extension', 'change_to_community')",
            name=op.f("ck_term_proposal_kind"),
        ),
        sa.CheckConstraint(
            "(kind = 'extension') = (days IS NOT NULL)", name=op.f("ck_term_proposal_days")
        ),
        sa.CheckConstraint(
            "(answered_at IS NULL) = (granted IS NULL)", name=op.f("ck_term_proposal_answered")
        ),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval.id"], name=op.f("fk_term_proposal_approval_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_term_proposal_person_id")
        ),
        sa.ForeignKeyConstraint(["term_id"], ["term.id"], name=op.f("fk_term_proposal_term_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_term_proposal")),
    )
    op.create_index(
        op.f("ix_term_proposal_person_id"), "term_proposal", ["person_id"], unique=False
    )
    op.create_index(op.f("ix_term_proposal_term_id"), "term_proposal", ["term_id"], unique=False)
    op.create_index(
        "uq_term_proposal_open",
        "term_proposal",
        ["term_id", "kind"],
        unique=True,
        postgresql_where="answered_at IS NULL",
    )
    op.execute(_TERMS_OF_EARLIER_DECISIONS)


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("term_proposal")
    op.drop_table("community_measure")
    op.drop_table("opinion")
    op.drop_table("approval")
    op.drop_table("term_absence")
    op.drop_table("term")
