"""The modules import where POSIX's calls do not exist."""

import subprocess
import sys

AS_ON_WINDOWS = """
import os, sys, types
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "getuid", "chown"):
    if hasattr(os, name):
        delattr(os, name)
os.O_BINARY = 0
for name in ("fcntl", "termios", "pwd"):
    sys.modules[name] = None
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
sys.platform = "win32"
import capcli.credentials.keychain, capcli.credentials.sessions, capcli.credentials.source, capcli.settings
from capcli.credentials.environment import read
from capcli.credentials.keychain import _platform_store
print(_platform_store())
path = sys.argv[1]
environ = {"CAP_API_KEY": "k", "CAP_IDENTIFIER": "i", "CAP_API_PASSWORD_FILE": path}
print(read(environ).password)
"""


def test_windows_branch_imports_and_reads(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("Secr3t\r\n")
    argv = [sys.executable, "-c", AS_ON_WINDOWS, str(secret)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["keyring.backends.Windows.WinVaultKeyring", "Secr3t"], done.stderr
