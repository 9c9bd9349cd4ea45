"""Facilities, units, rooms, beds and the times they are out of service.

Revision: 0001, after an empty database
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.create_table(
        "facility",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.Column("duty_phone", sa.Text(), nullable=False),
        sa.Column("east_km", sa.Float(), nullable=False),
        sa.Column("north_km", sa.Float(), nullable=False),
        sa.Column("status_ttl_minutes", sa.Integer(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("duty_phone <> ''", name=op.f("ck_facility_duty_phone")),
        sa.CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name=op.f("ck_facility_id")),
        sa.CheckConstraint(
            "operator IN ('public_security', 'justice', 'health', 'none')",
            name=op.f("ck_facility_operator"),
        ),
        sa.CheckConstraint("status_ttl_minutes > 0", name=op.f("ck_facility_status_ttl_minutes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facility")),
    )
    op.create_table(
        "unit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("min_age", sa.Integer(), nullable=False),
        sa.Column("max_age", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("level_of_care", sa.Integer(), nullable=False),
        sa.Column("security", sa.Integer(), nullable=False),
        sa.Column("observation", sa.Text(), nullable=False),
        sa.Column("licences", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("bases", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("security_owner", sa.Text(), nullable=False),
        sa.Column("medical_owner", sa.Text(), nullable=False),
        sa.Column("staffed_beds", sa.Integer(), nullable=True),
        sa.Column("reserve", sa.Integer(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "bases <@ ARRAY['compulsory', 'constrained', 'voluntary', 'voluntary_in_centre', 'out_medical']::text[]",
            name=op.f("ck_unit_bases"),
        ),
        sa.CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name=op.f("ck_unit_id")),
        sa.CheckConstraint(
            "kind IN ('PSC', 'JSC', 'OMW', 'CTH', 'DTI', 'AKH', 'SEC', 'RC', 'EXT')",
            name=op.f("ck_unit_kind"),
        ),
        sa.CheckConstraint(
            "licences <@ ARRAY['drug_treatment', 'psychiatric', 'infectious', 'maternity']::text[]",
            name=op.f("ck_unit_licences"),
        ),
        sa.CheckConstraint(
            "medical_owner IN ('public_security', 'justice', 'health', 'none')",
            name=op.f("ck_unit_medical_owner"),
        ),
        sa.CheckConstraint(
            "observation IN ('none', 'frequent', 'constant', 'unknown')",
            name=op.f("ck_unit_observation"),
        ),
        sa.CheckConstraint(
            "security_owner IN ('public_security', 'justice', 'health', 'none')",
            name=op.f("ck_unit_security_owner"),
        ),
        sa.CheckConstraint("sex IN ('male', 'female')", name=op.f("ck_unit_sex")),
        sa.CheckConstraint(
            "zone IN ('general', 'new_arrivals', 'detox', 'adaptation', 'consolidation', 'return_guidance', 'sick_disabled', 'isolation', 'women', 'minors', 'single_management', 'psychiatric', 'medical')",
            name=op.f("ck_unit_zone"),
        ),
        sa.CheckConstraint("0 <= min_age AND min_age <= max_age", name=op.f("ck_unit_ages")),
        sa.CheckConstraint(
            "level_of_care IN (0, 1, 2, 3, 4, 5)", name=op.f("ck_unit_level_of_care")
        ),
        sa.CheckConstraint("reserve >= 0", name=op.f("ck_unit_reserve")),
        sa.CheckConstraint("security IN (0, 1, 2)", name=op.f("ck_unit_security")),
        sa.CheckConstraint("staffed_beds >= 0", name=op.f("ck_unit_staffed_beds")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_unit_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
    )
    op.create_index(op.f("ix_unit_facility_id"), "unit", ["facility_id"], unique=False)
    op.create_table(
        "room",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("isolation", sa.Text(), nullable=False),
        sa.Column("cohort", sa.Boolean(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name=op.f("ck_room_id")),
        sa.CheckConstraint(
            "isolation IN ('none', 'contact', 'droplet', 'airborne', 'unknown')",
            name=op.f("ck_room_isolation"),
        ),
        sa.CheckConstraint("sex IN ('male', 'female')", name=op.f("ck_room_sex")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_room_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room")),
    )
    op.create_index(op.f("ix_room_unit_id"), "room", ["unit_id"], unique=False)
    op.create_table(
        "bed",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("room_id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("facility_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("features", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "features <@ ARRAY['GEN', 'DTX', 'NUR', 'ISO-A', 'ISO-C', 'COH', 'PSY', 'OBS', 'ACC', 'MAT', 'ICU', 'RSV', 'SURGE']::text[]",
            name=op.f("ck_bed_features"),
        ),
        sa.CheckConstraint("id ~ '^[a-z0-9][a-z0-9.-]{0,79}$'", name=op.f("ck_bed_id")),
        sa.CheckConstraint(
            "kind IN ('GEN', 'DTX', 'NUR', 'ISO-A', 'ISO-C', 'COH', 'PSY', 'OBS', 'ACC', 'MAT', 'ICU', 'RSV', 'SURGE')",
            name=op.f("ck_bed_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('in_service', 'housekeeping', 'contaminated', 'closing', 'closed')",
            name=op.f("ck_bed_state"),
        ),
        sa.CheckConstraint(
            "state_reason IN ('repair', 'cleaning', 'infection_control', 'staff_shortage', 'security', 'refurbishment', 'damage', 'equipment', 'other')",
            name=op.f("ck_bed_state_reason"),
        ),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_bed_facility_id")),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_bed_room_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_bed_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bed")),
    )
    op.create_index(op.f("ix_bed_facility_id"), "bed", ["facility_id"], unique=False)
    op.create_index(op.f("ix_bed_room_id"), "bed", ["room_id"], unique=False)
    op.create_index(
        "ix_bed_unit_id_in_use",
        "bed",
        ["unit_id"],
        unique=False,
        postgresql_where="retired_at IS NULL",
    )
    op.create_table(
        "out_of_service_period",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("bed_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('repair', 'cleaning', 'infection_control', 'staff_shortage', 'security', 'refurbishment', 'damage', 'equipment', 'other')",
            name=op.f("ck_out_of_service_period_reason"),
        ),
        sa.CheckConstraint("ended_at >= began_at", name=op.f("ck_out_of_service_period_order")),
        sa.ForeignKeyConstraint(
            ["bed_id"], ["bed.id"], name=op.f("fk_out_of_service_period_bed_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_out_of_service_period")),
    )
    op.create_index(
        op.f("ix_out_of_service_period_bed_id"), "out_of_service_period", ["bed_id"], unique=False
    )
    op.create_index(
        "uq_out_of_service_period_open",
        "out_of_service_period",
        ["bed_id"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )


def downgrade() -> None:
    """Take it back to the one before."""
    op.drop_index(
        "uq_out_of_service_period_open",
        table_name="out_of_service_period",
        postgresql_where="ended_at IS NULL",
    )
    op.drop_index(op.f("ix_out_of_service_period_bed_id"), table_name="out_of_service_period")
    op.drop_table("out_of_service_period")
    op.drop_index("ix_bed_unit_id_in_use", table_name="bed", postgresql_where="retired_at IS NULL")
    op.drop_index(op.f("ix_bed_room_id"), table_name="bed")
    op.drop_index(op.f("ix_bed_facility_id"), table_name="bed")
    op.drop_table("bed")
    op.drop_index(op.f("ix_room_unit_id"), table_name="room")
    op.drop_table("room")
    op.drop_index(op.f("ix_unit_facility_id"), table_name="unit")
    op.drop_table("unit")
    op.drop_table("facility")
