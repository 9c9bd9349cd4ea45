"""The tables as Core objects, for module-level statements on hot paths."""

from sqlalchemy import Table

from service.store.tables import metadata

_tables = metadata.tables

access_record: Table = _tables["access_record"]
api_key: Table = _tables["api_key"]
assessment: Table = _tables["assessment"]
bed: Table = _tables["bed"]
bed_claim: Table = _tables["bed_claim"]
bed_next: Table = _tables["bed_next"]
consent: Table = _tables["consent"]
decline: Table = _tables["decline"]
event: Table = _tables["event"]
event_seal: Table = _tables["event_seal"]
facility: Table = _tables["facility"]
fitness_statement: Table = _tables["fitness_statement"]
idempotency_record: Table = _tables["idempotency_record"]
import_job: Table = _tables["import_job"]
import_row: Table = _tables["import_row"]
legal_basis: Table = _tables["legal_basis"]
movement_stop: Table = _tables["movement_stop"]
out_of_service_period: Table = _tables["out_of_service_period"]
person: Table = _tables["person"]
placement_decision: Table = _tables["placement_decision"]
placement_request: Table = _tables["placement_request"]
plan_proposal: Table = _tables["plan_proposal"]
planning_run: Table = _tables["planning_run"]
room: Table = _tables["room"]
stay: Table = _tables["stay"]
transfer: Table = _tables["transfer"]
unit: Table = _tables["unit"]
