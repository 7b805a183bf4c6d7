"""Environment and config.toml become one frozen `Settings`; nothing is read from the current directory."""

from capcli.settings.config_file import Profile as Profile
from capcli.settings.config_file import check_edit as check_edit
from capcli.settings.config_file import default_profile as default_profile
from capcli.settings.config_file import read_profile as read_profile
from capcli.settings.config_file import remove_setting as remove_setting
from capcli.settings.config_file import write_setting as write_setting
from capcli.settings.form import BUNDLE_FIELDS as BUNDLE_FIELDS
from capcli.settings.form import filled_in as filled_in
from capcli.settings.loading import SettingRow as SettingRow
from capcli.settings.loading import Settings as Settings
from capcli.settings.loading import check_profile as check_profile
from capcli.settings.loading import live_by as live_by
from capcli.settings.loading import load as load
from capcli.settings.table import TABLE as TABLE
from capcli.settings.table import Setting as Setting
from capcli.settings.table import did_you_mean as did_you_mean
from capcli.settings.values import Env as Env
from capcli.settings.values import slip as slip
