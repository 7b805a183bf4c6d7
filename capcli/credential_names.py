"""The variables that credentials come from. Loads nothing: masking and a shell's completion need them too."""

CREDENTIALS = {
    "CAP_API_KEY": "API key; without these three the keychain is used",
    "CAP_IDENTIFIER": "E-mail address of the account",
    "CAP_API_PASSWORD": "The API key's own password",
}
ENDINGS = ("", "_FILE", "_CMD")
"""Of a variable that holds a credential, names a private file with it, or a command that prints it."""
CREDENTIAL_NAMES = tuple(name + ending for name in CREDENTIALS for ending in ENDINGS)
