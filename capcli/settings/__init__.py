"""Environment and config.toml become one frozen `Settings`; nothing is read from the current directory."""

from capcli.settings.config_file import (
    Profile,
    check_edit,
    default_profile,
    read_profile,
    remove_setting,
    write_profile,
    write_setting,
)
from capcli.settings.form import BUNDLE_FIELDS, filled_in
from capcli.settings.loading import SettingRow, Settings, check_profile, live_by, load
from capcli.settings.table import CREDENTIAL_NAMES, TABLE, Setting, did_you_mean
from capcli.settings.values import Env, slip

__all__ = [
    "BUNDLE_FIELDS",
    "CREDENTIAL_NAMES",
    "TABLE",
    "Env",
    "Profile",
    "Setting",
    "SettingRow",
    "Settings",
    "check_edit",
    "check_profile",
    "default_profile",
    "did_you_mean",
    "filled_in",
    "live_by",
    "load",
    "read_profile",
    "remove_setting",
    "slip",
    "write_profile",
    "write_setting",
]
