"""People under a pseudonym: their record, findings, opinions, and two records that are one."""
