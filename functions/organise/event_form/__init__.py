"""The event file as five short forms: fields named by their path in the file, read back into the same mapping.

Field and fault have one name, so a fault stands beside its field. What a page does not show, and what a row holds
beside its fields, stays as it was.
"""
