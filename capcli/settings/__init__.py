"""Environment and config.toml become one frozen `Settings`; nothing is read from the current directory."""

from capcli.settings.config_file import write_profile, write_setting
from capcli.settings.loading import SettingRow, Settings, live_by, load
from capcli.settings.table import CREDENTIAL_NAMES, TABLE, Setting, did_you_mean
from capcli.settings.values import Env, slip

__all__ = [
    "CREDENTIAL_NAMES",
    "TABLE",
    "Env",
    "Setting",
    "SettingRow",
    "Settings",
    "did_you_mean",
    "live_by",
    "load",
    "slip",
    "write_profile",
    "write_setting",
]
