"""Environment and config.toml become one frozen `Settings`; nothing is read from the current directory."""

from capcli.settings.config_file import write_profile, write_setting
from capcli.settings.form import BUNDLE_FIELDS, filled_in
from capcli.settings.loading import SettingRow, Settings, load
from capcli.settings.table import CREDENTIAL_NAMES, TABLE, Setting, did_you_mean
from capcli.settings.values import Env, slip

__all__ = [
    "BUNDLE_FIELDS",
    "CREDENTIAL_NAMES",
    "TABLE",
    "Env",
    "Setting",
    "SettingRow",
    "Settings",
    "did_you_mean",
    "filled_in",
    "load",
    "slip",
    "write_profile",
    "write_setting",
]
