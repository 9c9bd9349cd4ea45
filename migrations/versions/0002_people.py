"""People under a pseudonym, their legal bases, consents and assessments.

Revision: 0002, after 0001
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=True),
        sa.Column("document_index", sa.Text(), nullable=True),
        sa.Column("home_east_km", sa.Float(), nullable=True),
        sa.Column("home_north_km", sa.Float(), nullable=True),
        sa.Column("origin_unit_id", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("sex IN ('male', 'female')", name=op.f("ck_person_sex")),
        sa.ForeignKeyConstraint(["merged_into"], ["person.id"], name=op.f("fk_person_merged_into")),
        sa.ForeignKeyConstraint(
            ["origin_unit_id"], ["unit.id"], name=op.f("fk_person_origin_unit_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_index(
        "uq_person_document_index",
        "person",
        ["document_index"],
        unique=True,
        postgresql_where="merged_into IS NULL",
    )
    op.create_table(
        "assessment",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("dimensions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("needs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("isolation", sa.Text(), nullable=False),
        sa.Column("observation", sa.Text(), nullable=False),
        sa.Column("pregnant", sa.Text(), nullable=False),
        sa.Column("nursing", sa.Text(), nullable=False),
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assessed_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "isolation IN ('none', 'contact', 'droplet', 'airborne', 'unknown')",
            name=op.f("ck_assessment_isolation"),
        ),
        sa.CheckConstraint(
            "needs <@ ARRAY['GEN', 'DTX', 'NUR', 'ISO-A', 'ISO-C', 'COH', 'PSY', 'OBS', 'ACC', 'MAT', 'ICU', 'RSV', 'SURGE']::text[]",
            name=op.f("ck_assessment_needs"),
        ),
        sa.CheckConstraint(
            "nursing IN ('yes', 'no', 'unknown')", name=op.f("ck_assessment_nursing")
        ),
        sa.CheckConstraint(
            "observation IN ('none', 'frequent', 'constant', 'unknown')",
            name=op.f("ck_assessment_observation"),
        ),
        sa.CheckConstraint(
            "pregnant IN ('yes', 'no', 'unknown')", name=op.f("ck_assessment_pregnant")
        ),
        sa.CheckConstraint("grade IN (0, 1, 2, 3, 4, 5)", name=op.f("ck_assessment_grade")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_assessment_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index(
        "ix_assessment_person_id_assessed_at",
        "assessment",
        ["person_id", "assessed_at"],
        unique=False,
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("agreement", sa.Boolean(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "given_by IN ('person', 'family', 'guardian')", name=op.f("ck_consent_given_by")
        ),
        sa.CheckConstraint(
            "kinds <@ ARRAY['PSC', 'JSC', 'OMW', 'CTH', 'DTI', 'AKH', 'SEC', 'RC', 'EXT']::text[]",
            name=op.f("ck_consent_kinds"),
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_consent_days")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_consent_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(op.f("ix_consent_person_id"), "consent", ["person_id"], unique=False)
    op.create_table(
        "fitness_statement",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("agreed_units", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stated_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kinds <@ ARRAY['PSC', 'JSC', 'OMW', 'CTH', 'DTI', 'AKH', 'SEC', 'RC', 'EXT']::text[]",
            name=op.f("ck_fitness_statement_kinds"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_fitness_statement_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fitness_statement")),
    )
    op.create_index(
        op.f("ix_fitness_statement_person_id"), "fitness_statement", ["person_id"], unique=False
    )
    op.create_table(
        "legal_basis",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=True),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("under_16_reasons", sa.Boolean(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "body IN ('county_police', 'city_police', 'province_police', 'justice_bureau', 'hospital', 'court')",
            name=op.f("ck_legal_basis_body"),
        ),
        sa.CheckConstraint(
            "ground IN ('refused_community', 'used_during_community', 'serious_breach', 'relapse_after', 'severe_addiction')",
            name=op.f("ck_legal_basis_ground"),
        ),
        sa.CheckConstraint(
            "kind IN ('compulsory', 'constrained', 'voluntary', 'voluntary_in_centre', 'out_medical')",
            name=op.f("ck_legal_basis_kind"),
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_legal_basis_days")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_legal_basis_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_basis")),
    )
    op.create_index(op.f("ix_legal_basis_person_id"), "legal_basis", ["person_id"], unique=False)
    op.create_table(
        "movement_stop",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_movement_stop_person_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement_stop")),
    )
    op.create_index(
        op.f("ix_movement_stop_person_id"), "movement_stop", ["person_id"], unique=False
    )
    op.create_index(
        "uq_movement_stop_live",
        "movement_stop",
        ["person_id"],
        unique=True,
        postgresql_where="lifted_at IS NULL",
    )


def downgrade() -> None:
    """Take it back to the one before."""
    op.drop_index(
        "uq_movement_stop_live", table_name="movement_stop", postgresql_where="lifted_at IS NULL"
    )
    op.drop_index(op.f("ix_movement_stop_person_id"), table_name="movement_stop")
    op.drop_table("movement_stop")
    op.drop_index(op.f("ix_legal_basis_person_id"), table_name="legal_basis")
    op.drop_table("legal_basis")
    op.drop_index(op.f("ix_fitness_statement_person_id"), table_name="fitness_statement")
    op.drop_table("fitness_statement")
    op.drop_index(op.f("ix_consent_person_id"), table_name="consent")
    op.drop_table("consent")
    op.drop_index("ix_assessment_person_id_assessed_at", table_name="assessment")
    op.drop_table("assessment")
    op.drop_index(
        "uq_person_document_index", table_name="person", postgresql_where="merged_into IS NULL"
    )
    op.drop_table("person")
