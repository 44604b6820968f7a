"""Mails in words: `compose` writes what the mail function sends and what organisers read before it is sent."""
