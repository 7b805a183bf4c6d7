"""The completion script for PowerShell 5 and later: hash tables and one argument completer."""

from collections.abc import Sequence

from capcli.cli.completions.plan import Level, Word, arguments, filled, valued

_SCRIPT = r"""# Completion of capcli for PowerShell. Generated from the command tree: capcli help completions

Register-ArgumentCompleter -Native -CommandName capcli, capcli.exe -ScriptBlock {
    param($current, $line, $cursor)

    # command -> its subcommands, its options, its arguments' sources
    $commands = @{
<COMMANDS>
    }
    $options = @{
<OPTIONS>
    }
    $valued = @{
<VALUED>
    }
    $arguments = @{
<ARGUMENTS>
    }
    $everywhere = @(
<GLOBALS>
    )

    $typed = @($line.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor -or
        ($_.Extent.EndOffset -eq $cursor -and $current -eq '') } | ForEach-Object { $_.Extent.Text })
    $route = ''; $key = ''; $ended = $false; $count = 0
    for ($index = 1; $index -lt $typed.Count; $index++) {
        $word = $typed[$index]
        if ($key) { $key = '' }
        elseif (-not $ended -and $word -eq '--') { $ended = $true }
        elseif (-not $ended -and $word.StartsWith('-')) {
            if ($valued.ContainsKey("$route|$word") -or $valued.ContainsKey("*|$word")) { $key = $word }
        }
        elseif (-not $ended -and $count -eq 0 -and $commands.ContainsKey("$route $word".Trim())) {
            $route = "$route $word".Trim()
        }
        else { $count++ }
    }

    # The environment and the profile of this line decide which values were seen.
    $place = @()
    $all = @($line.CommandElements | ForEach-Object { $_.Extent.Text })
    for ($index = 1; $index -lt $all.Count; $index++) {
        if ($all[$index] -match '^(--env|--profile|--account)=(.+)$') { $place += $Matches[1], $Matches[2] }
        elseif ($all[$index] -in '--env', '--profile', '--account' -and $index + 1 -lt $all.Count) {
            $place += $all[$index], $all[$index + 1]
        }
    }

    $found = @(); $source = $null; $prefix = ''
    if (-not $key -and -not $ended -and $current -match '^(--[^=]+)=(.*)$') {
        $key = $Matches[1]; $prefix = "$key="; $current = $Matches[2]
    }
    if ($key) {
        $source = $valued["$route|$key"]
        if ($null -eq $source) { $source = $valued["*|$key"] }
    }
    elseif (-not $ended -and $current.StartsWith('-')) {
        $found += @($options[$route]) + $everywhere
    }
    else {
        if ($count -eq 0) { $found += @($commands[$route]) }
        $source = $arguments["$route|$count"]
        if ($null -eq $source) { $source = $arguments["$route|*"] }
    }
    if ($source -like '@*') {
        $found += @(& $typed[0] __complete $source.Substring(1) @place 2>$null | ForEach-Object {
            , @($_ -split "`t", 2) })
    }
    elseif ($source -and $source -ne 'files') {
        $found += @($source -split ' ' | ForEach-Object { , @($_, $_) })
    }
    $found | Where-Object { $_ -and $_[0].StartsWith($current) } | ForEach-Object {
        $about = if ($_[1]) { $_[1] } else { $_[0] }
        $text = "$prefix$($_[0])"
        [System.Management.Automation.CompletionResult]::new($text, $_[0], 'ParameterValue', $about)
    }
}
"""


def script(levels: tuple[Level, ...]) -> str:
    """Return the script."""
    tables = {
        "<COMMANDS>": [line for level in levels for line in _entry(level.path, level.commands)],
        "<OPTIONS>": [line for level in levels[1:] for line in _entry(level.path, level.flags)],
        "<VALUED>": [
            f"        '{route or '*'}|{name}' = '{source}'"
            for route, names, source in valued(levels)
            for name in names
        ],
        "<ARGUMENTS>": [
            f"        '{route}|{'*' if index is None else index}' = '{source}'"
            for route, index, source in arguments(levels)
        ],
        "<GLOBALS>": [_rows(levels[0].flags)],
    }
    return filled(_SCRIPT, tables)


def _entry(route: str, words: Sequence[Word]) -> list[str]:
    return [f"        '{route}' = @(", _rows(words), "        )"] if words else [f"        '{route}' = @()"]


def _rows(words: Sequence[Word]) -> str:
    """Return pairs; the comma before the only one keeps PowerShell from unrolling it."""
    alone = "," if len(words) == 1 else ""
    return ",\n".join(
        f"            {alone}@('{word.text}', '{word.about.replace(chr(39), chr(39) * 2)}')" for word in words
    )
