# Completion of capcli for PowerShell. Generated from the command tree: capcli help completions

Register-ArgumentCompleter -Native -CommandName capcli, capcli.exe -ScriptBlock {
    param($current, $line, $cursor)

    # command -> its subcommands, its options, its arguments' sources
    $commands = @{
        '' = @(
            @('buy', 'Buy: shows the preview, asks, and sends it once.'),
            @('sell', 'Sell: shows the preview, asks, and sends it once.'),
            @('preview', 'Show an order and every check; sends nothing.'),
            @('propose', 'Work out the size that a risk allows; sends nothing.'),
            @('execute', 'Send a preview, once.'),
            @('positions', 'Open positions: P&L, margin, distance to the stop.'),
            @('orders', 'Working orders.'),
            @('close', 'Close a position at market.'),
            @('exposure', 'What is at stake: notional, margin, loss at the stops.'),
            @('status', 'The account at a glance: money, risk, limits left.'),
            @('desk', 'The account full screen: positions, orders, prices, a chart.'),
            @('events', 'What happened on the account: fills, stops, closes, halts.'),
            @('accounts', 'Balance, equity and margin of each account; switch.'),
            @('history', 'Activity, bookings, realised P&L; what was sent from here.'),
            @('quote', 'Bid and offer of one or more markets.'),
            @('prices', 'Candles: a table, a chart, or a download.'),
            @('watch', 'Prices or positions, live from the stream.'),
            @('alert', 'Wait for prices, moves, P&L or margin.'),
            @('markets', 'Find markets, and show their dealing rules and hours.'),
            @('watchlists', 'Named lists of markets: show, make, change.'),
            @('halt', 'Stop all new risk, for every program of this user.'),
            @('flatten', 'Halt, cancel every order, close every position.'),
            @('resume', 'Let orders be sent again after a halt.'),
            @('approve', 'Approve what an assistant or a script wants to send.'),
            @('mandate', 'Let one client send orders alone, within limits.'),
            @('reconcile', 'Settle orders whose answer was lost.'),
            @('resolve', 'Say what happened to a lost order.'),
            @('login', 'Check your API key and store it in the keychain.'),
            @('logout', 'End the broker session; --forget removes the key.'),
            @('health', 'Find out why something does not work.'),
            @('config', 'Effective settings and where each comes from.'),
            @('live', 'Going live: the checklist that unlocks it.'),
            @('mcp', 'The server for AI assistants.'),
            @('paper', 'The built-in paper broker.'),
            @('record', 'Record how the broker answers, to show a maintainer.'),
            @('schema', 'Describe commands to a program: options, exit codes, JSON.'),
            @('help', 'Pages to read: exit codes, settings, output, all commands.')
        )
        'buy' = @()
        'sell' = @()
        'preview' = @()
        'propose' = @()
        'execute' = @()
        'positions' = @(
            @('amend', 'Change the stop or the limit of a position.'),
            @('breakeven', 'Move the stop of a position to its entry.')
        )
        'positions amend' = @()
        'positions breakeven' = @()
        'orders' = @(
            @('amend', 'Change a working order: its level, stop, limit or expiry.'),
            @('cancel', 'Cancel a working order, or all of them.')
        )
        'orders amend' = @()
        'orders cancel' = @()
        'close' = @()
        'exposure' = @()
        'status' = @()
        'desk' = @()
        'events' = @()
        'accounts' = @(
            @('use', 'Make an account the active one, for the next commands too.'),
            @('preferences', 'Show or change the account''s hedging and leverage.'),
            @('topup', 'Add practice money to a paper or demo account.')
        )
        'accounts use' = @()
        'accounts preferences' = @()
        'accounts topup' = @()
        'history' = @(
            @('executions', 'What was ordered, sent and answered, what happened to it, and when.'),
            @('verify', 'Find changed, removed, added or cut-off rows in the journal.'),
            @('accept', 'Continue with the journal although it is older or changed.'),
            @('activity', 'What happened on the account: orders, fills, closes, stops, rejections.'),
            @('transactions', 'What was booked: realised P&L, overnight fees, commissions, deposits.'),
            @('report', 'Realised P&L, costs and deposits of a span, in the account''s currency.'),
            @('stats', 'Win rate, expectancy, R and drawdown of closed trades, with costs.')
        )
        'history executions' = @()
        'history verify' = @()
        'history accept' = @()
        'history activity' = @()
        'history transactions' = @()
        'history report' = @()
        'history stats' = @()
        'quote' = @()
        'prices' = @()
        'watch' = @()
        'alert' = @(
            @('add', 'Store levels to wait for.'),
            @('list', 'Stored alerts: those that wait, and the latest that fired.'),
            @('remove', 'Take stored alerts off the list.')
        )
        'alert add' = @()
        'alert list' = @()
        'alert remove' = @()
        'markets' = @(
            @('search', 'Markets whose name or epic matches.'),
            @('show', 'One market: prices, sizes, margin, stop distances, fees, hours.'),
            @('browse', 'The tree of market categories: its top, or what is under a node.'),
            @('sentiment', 'How many of the broker''s clients are long and short, in percent.')
        )
        'markets search' = @()
        'markets show' = @()
        'markets browse' = @()
        'markets sentiment' = @()
        'watchlists' = @(
            @('list', 'All watchlists of the login, the broker''s own included.'),
            @('show', 'The markets of a watchlist, with their prices.'),
            @('create', 'Make a watchlist.'),
            @('add', 'Add a market to a watchlist; it is not added twice.'),
            @('remove', 'Remove a market from a watchlist.'),
            @('delete', 'Delete a whole watchlist; not one of the broker''s own.')
        )
        'watchlists list' = @()
        'watchlists show' = @()
        'watchlists create' = @()
        'watchlists add' = @()
        'watchlists remove' = @()
        'watchlists delete' = @()
        'halt' = @()
        'flatten' = @()
        'resume' = @()
        'approve' = @()
        'mandate' = @(
            @('grant', 'Let one client send orders without asking a person.'),
            @('list', 'Mandates in force and how much of each is used.'),
            @('revoke', 'End a mandate at once and cancel its working orders.')
        )
        'mandate grant' = @()
        'mandate list' = @()
        'mandate revoke' = @()
        'reconcile' = @()
        'resolve' = @()
        'login' = @()
        'logout' = @()
        'health' = @()
        'config' = @(
            @('get', 'One setting: its value, its source, what is allowed.'),
            @('set', 'Write a setting into a profile of config.toml.'),
            @('unset', 'Remove a setting from a profile of config.toml; its default applies...'),
            @('path', 'Where config.toml, the journal and the paper broker are.')
        )
        'config get' = @()
        'config set' = @()
        'config unset' = @()
        'config path' = @()
        'live' = @(
            ,@('checklist', 'Go live: complete the checklist, or see what is open.')
        )
        'live checklist' = @()
        'mcp' = @(
            @('serve', 'Serve the tools over stdin and stdout, for an assistant to start.'),
            @('tools', 'List the tools, and which of them ask you first.'),
            @('install', 'Add this server to an AI client''s config, which keeps everything else.'),
            @('bundle', 'Write the server as an .mcpb file, for Claude Desktop to open.')
        )
        'mcp serve' = @()
        'mcp tools' = @()
        'mcp install' = @()
        'mcp bundle' = @()
        'paper' = @(
            @('status', 'Seed, market time, accounts and counts.'),
            @('reset', 'Forget every paper deal and start over with fresh accounts.'),
            @('serve', 'Serve the paper broker over loopback HTTP, for other clients.'),
            @('check', 'Show what is new in a recording of the broker.'),
            @('faults', 'A bad day on paper: lost, late and wrong answers on purpose.')
        )
        'paper status' = @()
        'paper reset' = @()
        'paper serve' = @()
        'paper check' = @()
        'paper faults' = @(
            @('set', 'Set a fault of the paper broker; nothing else is affected.'),
            @('clear', 'Remove one fault of the paper broker, or all of them.')
        )
        'paper faults set' = @()
        'paper faults clear' = @()
        'record' = @()
        'schema' = @()
        'help' = @()
    }
    $options = @{
        'buy' = @(
            @('--risk', 'Work the size out from the loss at the stop: 1% or 100USD.'),
            @('--stop', 'Stop at this price, or 2% from the entry.'),
            @('--stop-distance', 'Stop this far from the price.'),
            @('--stop-amount', 'Stop at this loss.'),
            @('--limit', 'Take profit at this price, or 4% from the entry.'),
            @('--limit-distance', 'Take profit this far from the price.'),
            @('--limit-amount', 'Take profit at this gain.'),
            @('--trailing', 'The stop follows the price.'),
            @('--guaranteed', 'Guaranteed stop: it fills at its level, for a fee.'),
            @('--at', 'A working order at this price.'),
            @('--type', 'How --at works.'),
            @('--good-till', 'When --at ends (UTC).'),
            @('--note', 'Stored with the order, on this computer only.'),
            @('--tag', 'A word to count trades by.'),
            @('--explain', 'Explain each field in a sentence.'),
            @('--again', 'Send it even if the same order was sent within 60 s.'),
            @('--ensure-stop', 'Set a stop that the broker left out, or close the position.'),
            @('--confirm', 'Has no effect: you always see the preview first.'),
            @('--yes', 'Has no effect: you always see the preview first.')
        )
        'sell' = @(
            @('--risk', 'Work the size out from the loss at the stop: 1% or 100USD.'),
            @('--stop', 'Stop at this price, or 2% from the entry.'),
            @('--stop-distance', 'Stop this far from the price.'),
            @('--stop-amount', 'Stop at this loss.'),
            @('--limit', 'Take profit at this price, or 4% from the entry.'),
            @('--limit-distance', 'Take profit this far from the price.'),
            @('--limit-amount', 'Take profit at this gain.'),
            @('--trailing', 'The stop follows the price.'),
            @('--guaranteed', 'Guaranteed stop: it fills at its level, for a fee.'),
            @('--at', 'A working order at this price.'),
            @('--type', 'How --at works.'),
            @('--good-till', 'When --at ends (UTC).'),
            @('--note', 'Stored with the order, on this computer only.'),
            @('--tag', 'A word to count trades by.'),
            @('--explain', 'Explain each field in a sentence.'),
            @('--again', 'Send it even if the same order was sent within 60 s.'),
            @('--ensure-stop', 'Set a stop that the broker left out, or close the position.'),
            @('--confirm', 'Has no effect: you always see the preview first.'),
            @('--yes', 'Has no effect: you always see the preview first.')
        )
        'preview' = @(
            @('--size', 'Number of units.'),
            @('--risk', 'Work the size out from the loss at the stop: 1% or 100USD.'),
            @('--sell', 'Sell instead of buy.'),
            @('--stop', 'Stop at this price, or 2% from the entry.'),
            @('--stop-distance', 'Stop this far from the price.'),
            @('--stop-amount', 'Stop at this loss.'),
            @('--limit', 'Take profit at this price, or 4% from the entry.'),
            @('--limit-distance', 'Take profit this far from the price.'),
            @('--limit-amount', 'Take profit at this gain.'),
            @('--trailing', 'The stop follows the price.'),
            @('--guaranteed', 'Guaranteed stop: it fills at its level, for a fee.'),
            @('--at', 'A working order at this price.'),
            @('--type', 'How --at works.'),
            @('--good-till', 'When --at ends (UTC).'),
            @('--note', 'Stored with the order, on this computer only.'),
            @('--tag', 'A word to count trades by.'),
            @('--explain', 'Explain each field in a sentence.'),
            @('--id-only', 'Print the preview''s id alone, for a script.')
        )
        'propose' = @(
            @('--risk', 'Share of the equity to risk.'),
            @('--buy', 'Make a preview of a buy.'),
            @('--sell', 'Make a preview of a sale.'),
            @('--stop', 'Stop at this price, or 2% from the entry.'),
            @('--stop-distance', 'Stop this far from the price.'),
            @('--note', 'Stored with the order, on this computer only.'),
            @('--tag', 'A word to count trades by.'),
            @('--id-only', 'Print the preview''s id alone, for a script.')
        )
        'execute' = @(
            @('--again', 'Send it even if the same order was sent within 60 s.'),
            @('--ensure-stop', 'Set a stop that the broker left out, or close the position.'),
            @('--confirm', 'Send without a question.'),
            @('--yes', 'Send without a question.')
        )
        'positions' = @()
        'positions amend' = @(
            @('--stop', 'Stop at this price, or 2% from the entry.'),
            @('--stop-distance', 'Stop this far from the price.'),
            @('--no-stop', 'Remove the stop.'),
            @('--limit', 'Take profit at this price, or 4% from the entry.'),
            @('--limit-distance', 'Take profit this far from the price.'),
            @('--no-limit', 'Remove the limit.'),
            @('--trailing', 'The stop follows the price.'),
            @('--guaranteed', 'Guaranteed stop: it fills at its level, for a fee.'),
            @('--confirm', 'Send it without a question.'),
            @('--yes', 'Send it without a question.')
        )
        'positions breakeven' = @(
            @('--confirm', 'Send it without a question.'),
            @('--yes', 'Send it without a question.')
        )
        'orders' = @()
        'orders amend' = @(
            @('--at', 'Move it to this price.'),
            @('--stop', 'Stop at this price, or 2% from the entry.'),
            @('--stop-distance', 'Stop this far from the price.'),
            @('--limit', 'Take profit at this price, or 4% from the entry.'),
            @('--limit-distance', 'Take profit this far from the price.'),
            @('--trailing', 'The stop follows the price.'),
            @('--guaranteed', 'Guaranteed stop: it fills at its level, for a fee.'),
            @('--good-till', 'When it ends (UTC).'),
            @('--no-expiry', 'No expiry: it waits until cancelled.'),
            @('--confirm', 'Send it without a question.'),
            @('--yes', 'Send it without a question.')
        )
        'orders cancel' = @(
            @('--all', 'Cancel every working order.'),
            @('--epic', 'With --all: only orders in this market.'),
            @('--confirm', 'Send it without a question.'),
            @('--yes', 'Send it without a question.')
        )
        'close' = @(
            @('--size', 'Close part of it: units, or 50%.'),
            @('--all', 'Close every open position.'),
            @('--again', 'Repeat the same --size within 60 s.'),
            @('--confirm', 'Close without a question.'),
            @('--yes', 'Close without a question.')
        )
        'exposure' = @()
        'status' = @()
        'desk' = @()
        'events' = @(
            @('--follow', 'Keep running and show new events.'),
            @('-f', 'Keep running and show new events.'),
            @('--since', 'Events after this cursor.'),
            @('--last', 'How far back (default 24h).'),
            @('--every', 'Seconds between checks with --follow.'),
            @('--exec', 'Run this for each event: JSON on stdin, no shell.'),
            @('--for', 'Stop after seconds, or 5m, 2h.')
        )
        'accounts' = @()
        'accounts use' = @()
        'accounts preferences' = @(
            @('--hedging', 'Opposite deals side by side.'),
            @('--leverage', 'Leverage of a class; repeat for more.'),
            @('--confirm', 'Send it without a question.'),
            @('--yes', 'Send it without a question.')
        )
        'accounts topup' = @(
            @('--confirm', 'Send it without a question.'),
            @('--yes', 'Send it without a question.')
        )
        'history' = @()
        'history executions' = @(
            ,@('--last', 'Number of attempts, newest first.')
        )
        'history verify' = @()
        'history accept' = @(
            ,@('--reason', 'The reason, stored in the journal.')
        )
        'history activity' = @(
            @('--last', 'How far back: 90m, 24h, 7d, 2w.'),
            @('--from', 'From this time (UTC).'),
            @('--to', 'To this time (UTC).'),
            @('--epic', 'Only this market; repeatable.'),
            @('--type', 'As the broker writes it; repeatable.'),
            @('--status', 'As the broker writes it; repeatable.'),
            @('--source', 'USER, SYSTEM, SL, TP...'),
            @('--deal', 'Only rows of this deal.')
        )
        'history transactions' = @(
            @('--last', 'How far back: 90m, 24h, 7d, 2w.'),
            @('--from', 'From this time (UTC).'),
            @('--to', 'To this time (UTC).'),
            @('--epic', 'Only this market; repeatable.'),
            @('--type', 'As the broker writes it; repeatable.'),
            @('--status', 'As the broker writes it; repeatable.'),
            @('--deal', 'Only rows of this deal.')
        )
        'history report' = @(
            @('--last', 'How far back: 90m, 24h, 7d, 2w.'),
            @('--from', 'From this time (UTC).'),
            @('--to', 'To this time (UTC).'),
            @('--by', 'market, day or month (UTC).')
        )
        'history stats' = @(
            @('--last', 'How far back: 90m, 24h, 7d, 2w.'),
            @('--from', 'From this time (UTC).'),
            @('--to', 'To this time (UTC).'),
            @('--by', 'market, tag, side, hour (of opening, UTC) or client.'),
            @('--chart', 'Draw the equity curve.'),
            @('--html', 'Also write a page with pictures.'),
            @('--force', 'With --html: overwrite the file.')
        )
        'quote' = @()
        'prices' = @(
            @('--resolution', '1m 5m 15m 30m 1h 4h 1d 1w, or the broker''s name.'),
            @('--last', 'Number of candles (default 50), or how far back: 24h, 7d.'),
            @('--from', 'From this time (UTC).'),
            @('--to', 'To this time (UTC).'),
            @('--chart', 'Draw a chart, with your own levels.'),
            @('--output', 'Download into a .csv, .jsonl or .parquet file, or - for stdout.'),
            @('--force', 'With --output: overwrite the file.')
        )
        'watch' = @(
            @('--positions', 'The open positions: P&L from every tick.'),
            @('--once', 'The first tick of each market, then end.'),
            @('--for', 'Stop after seconds, or 5m, 2h.'),
            @('--every', 'At most one line in S seconds each; 0 is every tick.')
        )
        'alert' = @(
            @('--above', 'When the bid is at L or above.'),
            @('--below', 'When the bid is at L or below.'),
            @('--moves', 'When the bid has moved this much, up or down.'),
            @('--pnl-above', 'When open P&L is at AMOUNT or above.'),
            @('--pnl-below', 'When open P&L is at AMOUNT or below: -100.'),
            @('--margin-above', 'When this share of equity is margin.'),
            @('--all', 'Wait until all of them are reached.'),
            @('--exec', 'Run this program each time; no shell.'),
            @('--repeat', 'Repeat: each time it is reached again.'),
            @('--for', 'Stop after seconds, or 5m, 2h.')
        )
        'alert add' = @(
            @('--above', 'When the bid is at L or above.'),
            @('--below', 'When the bid is at L or below.'),
            @('--moves', 'When the bid has moved this much, up or down.'),
            @('--pnl-above', 'When open P&L is at AMOUNT or above.'),
            @('--pnl-below', 'When open P&L is at AMOUNT or below: -100.'),
            @('--margin-above', 'When this share of equity is margin.')
        )
        'alert list' = @()
        'alert remove' = @(
            ,@('--all', 'All alerts of this account.')
        )
        'markets' = @()
        'markets search' = @(
            ,@('--limit', 'Most markets to show.')
        )
        'markets show' = @()
        'markets browse' = @(
            ,@('--limit', 'Most markets to show.')
        )
        'markets sentiment' = @()
        'watchlists' = @()
        'watchlists list' = @()
        'watchlists show' = @()
        'watchlists create' = @()
        'watchlists add' = @()
        'watchlists remove' = @()
        'watchlists delete' = @(
            @('--confirm', 'Delete without a question.'),
            @('--yes', 'Delete without a question.')
        )
        'halt' = @(
            ,@('--reason', 'The reason, shown with the halt.')
        )
        'flatten' = @(
            @('--dry-run', 'Show what it would send.'),
            @('--confirm', 'Do it without a question.'),
            @('--yes', 'Do it without a question.')
        )
        'resume' = @(
            @('--confirm', 'Resume without a question.'),
            @('--yes', 'Resume without a question.')
        )
        'approve' = @(
            @('--deny', 'Say no: nothing is sent.'),
            @('--watch', 'Wait for requests; a key decides each.')
        )
        'mandate' = @()
        'mandate grant' = @(
            @('--epics', 'Markets, by comma.'),
            @('--risk', 'Most that one order can lose at its stop: 0.5%.'),
            @('--total-risk', 'Most that all of them can lose, costs included.'),
            @('--orders', 'How many orders.'),
            @('--until', 'End, at most 24 h ahead: 18:00.')
        )
        'mandate list' = @()
        'mandate revoke' = @()
        'reconcile' = @(
            ,@('--wait', 'Keep checking until it is decided.')
        )
        'resolve' = @(
            @('--landed', 'It became this deal.'),
            @('--not-placed', 'It never reached the market.'),
            @('--confirm', 'Record it without a question.'),
            @('--yes', 'Record it without a question.')
        )
        'login' = @(
            @('--stdin', 'Read {"api_key", "identifier", "password"} as JSON.'),
            @('--status', 'Only show where the credentials are.'),
            @('--check', 'With --status: log in with them, too.')
        )
        'logout' = @(
            ,@('--forget', 'Remove the key from the keychain.')
        )
        'health' = @(
            @('--only', 'Only this check and those it needs; repeatable.'),
            @('--report', 'Markdown for a support request, without secrets.')
        )
        'config' = @()
        'config get' = @()
        'config set' = @()
        'config unset' = @()
        'config path' = @()
        'live' = @()
        'live checklist' = @(
            ,@('--approval', 'human: a person approves each order. confirm: --confirm is enough.')
        )
        'mcp' = @()
        'mcp serve' = @(
            @('--read-only', 'Only tools that change nothing at the broker.'),
            @('--toolsets', 'Only these toolsets, such as market,account; `mcp tools` names them.')
        )
        'mcp tools' = @(
            @('--read-only', 'Only tools that change nothing at the broker.'),
            @('--toolsets', 'Only these toolsets, such as market,account; `mcp tools` names them.')
        )
        'mcp install' = @(
            @('--dry-run', 'Show the change, write nothing.'),
            @('--remove', 'Remove capcli from the client''s config.'),
            @('--set', 'A setting for this client, such as a limit.'),
            @('--skill', 'Also put `capcli help agents` where the client reads skills.'),
            @('--read-only', 'Only tools that change nothing at the broker.'),
            @('--toolsets', 'Only these toolsets, such as market,account; `mcp tools` names them.')
        )
        'mcp bundle' = @(
            ,@('--output', 'File to write (default capcli-VERSION.mcpb).')
        )
        'paper' = @()
        'paper status' = @()
        'paper reset' = @(
            @('--seed', 'Other prices: any text.'),
            @('--start', 'The market''s clock begins here (UTC).'),
            @('--speed', 'Market time in real time; 1440 is a day a minute.'),
            @('--ticks', 'Ticks a second of every open market on the stream.'),
            @('--replay', 'Play a file''s candles as this market; repeatable.'),
            @('--no-limits', 'No request limits, for tests.'),
            @('--accounts', 'Other accounts, such as GBP:5000,PLN (default 10,000).'),
            @('--behaviour', 'kind: for a first try, nothing late or limited; awkward: for a bot before it trades.'),
            @('--confirms', 'late: one confirm in three is a 404 for up to 0.4 s (the default).'),
            @('--real-hours', 'SILVER, GOLD and EURUSD close at night and on weekends too.'),
            @('--market', 'More markets, from a TOML file; `paper reset --help` shows its form.'),
            @('--confirm', 'Without a question.'),
            @('--yes', 'Without a question.')
        )
        'paper serve' = @(
            @('--port', 'Loopback port; 0 takes a free one.'),
            @('--tls', 'https and wss, with a certificate made here.'),
            @('--seed', 'Other prices: any text.'),
            @('--start', 'The market''s clock begins here (UTC).'),
            @('--speed', 'Market time in real time; 1440 is a day a minute.'),
            @('--ticks', 'Ticks a second of every open market on the stream.'),
            @('--replay', 'Play a file''s candles as this market; repeatable.'),
            @('--no-limits', 'No request limits, for tests.'),
            @('--accounts', 'Other accounts, such as GBP:5000,PLN (default 10,000).'),
            @('--behaviour', 'kind: for a first try, nothing late or limited; awkward: for a bot before it trades.'),
            @('--confirms', 'late: one confirm in three is a 404 for up to 0.4 s (the default).'),
            @('--real-hours', 'SILVER, GOLD and EURUSD close at night and on weekends too.'),
            @('--market', 'More markets, from a TOML file; `paper reset --help` shows its form.'),
            @('--latency', 'Delay every answer by this much.'),
            @('--serves', 'Take the keys paper and paper-demo alone, or paper and paper-live.'),
            @('--name', 'Another host name that clients may use.'),
            @('--log', 'Each request on stderr.')
        )
        'paper check' = @()
        'paper faults' = @()
        'paper faults set' = @(
            @('--times', 'For the next N requests that it changes.'),
            @('--for', 'For this many seconds.'),
            @('--on', 'orders (POST), changes (PUT, DELETE), confirms, positions (and working orders), activity, reads (every GET of a session), login or all.'),
            @('--value', 'As listed above.')
        )
        'paper faults clear' = @()
        'record' = @()
        'schema' = @()
        'help' = @(
            ,@('--shell', 'With completions: print the script of bash, zsh, fish or powershell.')
        )
    }
    $valued = @{
        'buy|--risk' = ''
        'buy|--stop' = ''
        'buy|--stop-distance' = ''
        'buy|--stop-amount' = ''
        'buy|--limit' = ''
        'buy|--limit-distance' = ''
        'buy|--limit-amount' = ''
        'buy|--at' = ''
        'buy|--type' = 'limit stop'
        'buy|--good-till' = ''
        'buy|--note' = ''
        'buy|--tag' = ''
        'sell|--risk' = ''
        'sell|--stop' = ''
        'sell|--stop-distance' = ''
        'sell|--stop-amount' = ''
        'sell|--limit' = ''
        'sell|--limit-distance' = ''
        'sell|--limit-amount' = ''
        'sell|--at' = ''
        'sell|--type' = 'limit stop'
        'sell|--good-till' = ''
        'sell|--note' = ''
        'sell|--tag' = ''
        'preview|--size' = ''
        'preview|--risk' = ''
        'preview|--stop' = ''
        'preview|--stop-distance' = ''
        'preview|--stop-amount' = ''
        'preview|--limit' = ''
        'preview|--limit-distance' = ''
        'preview|--limit-amount' = ''
        'preview|--at' = ''
        'preview|--type' = 'limit stop'
        'preview|--good-till' = ''
        'preview|--note' = ''
        'preview|--tag' = ''
        'propose|--risk' = ''
        'propose|--stop' = ''
        'propose|--stop-distance' = ''
        'propose|--note' = ''
        'propose|--tag' = ''
        'positions amend|--stop' = ''
        'positions amend|--stop-distance' = ''
        'positions amend|--limit' = ''
        'positions amend|--limit-distance' = ''
        'orders amend|--at' = ''
        'orders amend|--stop' = ''
        'orders amend|--stop-distance' = ''
        'orders amend|--limit' = ''
        'orders amend|--limit-distance' = ''
        'orders amend|--good-till' = ''
        'orders cancel|--epic' = '@epics'
        'close|--size' = ''
        'events|--since' = ''
        'events|--last' = ''
        'events|--every' = ''
        'events|--exec' = ''
        'events|--for' = ''
        'accounts preferences|--hedging' = 'on off'
        'accounts preferences|--leverage' = ''
        'history executions|--last' = ''
        'history accept|--reason' = ''
        'history activity|--last' = ''
        'history activity|--from' = ''
        'history activity|--to' = ''
        'history activity|--epic' = '@epics'
        'history activity|--type' = ''
        'history activity|--status' = ''
        'history activity|--source' = ''
        'history activity|--deal' = '@deals'
        'history transactions|--last' = ''
        'history transactions|--from' = ''
        'history transactions|--to' = ''
        'history transactions|--epic' = '@epics'
        'history transactions|--type' = ''
        'history transactions|--status' = ''
        'history transactions|--deal' = '@deals'
        'history report|--last' = ''
        'history report|--from' = ''
        'history report|--to' = ''
        'history report|--by' = 'market day month'
        'history stats|--last' = ''
        'history stats|--from' = ''
        'history stats|--to' = ''
        'history stats|--by' = 'market day month'
        'history stats|--html' = 'files'
        'prices|--resolution' = '1m 5m 15m 30m 1h 4h 1d 1w MINUTE MINUTE_5 MINUTE_15 MINUTE_30 HOUR HOUR_4 DAY WEEK'
        'prices|--last' = ''
        'prices|--from' = ''
        'prices|--to' = ''
        'prices|--output' = 'files'
        'watch|--for' = ''
        'watch|--every' = ''
        'alert|--above' = ''
        'alert|--below' = ''
        'alert|--moves' = ''
        'alert|--pnl-above' = ''
        'alert|--pnl-below' = ''
        'alert|--margin-above' = ''
        'alert|--exec' = ''
        'alert|--for' = ''
        'alert add|--above' = ''
        'alert add|--below' = ''
        'alert add|--moves' = ''
        'alert add|--pnl-above' = ''
        'alert add|--pnl-below' = ''
        'alert add|--margin-above' = ''
        'markets search|--limit' = ''
        'markets browse|--limit' = ''
        'halt|--reason' = ''
        'mandate grant|--epics' = ''
        'mandate grant|--risk' = ''
        'mandate grant|--total-risk' = ''
        'mandate grant|--orders' = ''
        'mandate grant|--until' = ''
        'resolve|--landed' = '@deals'
        'health|--only' = 'settings state_folder journal keychain audit_trail credentials key_age broker_clock login account market_data allowed_epics trading halt approval notifications mandates limits unresolved assistants mcp_server'
        'live checklist|--approval' = ''
        'mcp serve|--toolsets' = ''
        'mcp tools|--toolsets' = ''
        'mcp install|--set' = ''
        'mcp install|--toolsets' = ''
        'mcp bundle|--output' = 'files'
        'paper reset|--seed' = ''
        'paper reset|--start' = ''
        'paper reset|--speed' = ''
        'paper reset|--ticks' = ''
        'paper reset|--replay' = ''
        'paper reset|--accounts' = ''
        'paper reset|--behaviour' = 'kind awkward'
        'paper reset|--confirms' = 'prompt late'
        'paper reset|--market' = 'files'
        'paper serve|--port' = ''
        'paper serve|--seed' = ''
        'paper serve|--start' = ''
        'paper serve|--speed' = ''
        'paper serve|--ticks' = ''
        'paper serve|--replay' = ''
        'paper serve|--accounts' = ''
        'paper serve|--behaviour' = 'kind awkward'
        'paper serve|--confirms' = 'prompt late'
        'paper serve|--market' = 'files'
        'paper serve|--latency' = ''
        'paper serve|--serves' = 'demo live'
        'paper serve|--name' = ''
        'paper faults set|--times' = ''
        'paper faults set|--for' = ''
        'paper faults set|--on' = 'orders changes confirms positions activity reads login all'
        'paper faults set|--value' = ''
        'help|--shell' = 'bash zsh fish powershell'
        '*|--env' = 'paper demo live'
        '*|--profile' = '@profiles'
        '*|--account' = '@accounts'
        '*|--fields' = ''
        '*|--timeout' = ''
        '*|--tz' = ''
    }
    $arguments = @{
        'buy|0' = '@epics'
        'sell|0' = '@epics'
        'preview|0' = '@epics'
        'propose|0' = '@epics'
        'execute|0' = '@previews'
        'positions|0' = '@positions'
        'positions amend|0' = '@positions'
        'positions breakeven|0' = '@positions'
        'orders|0' = '@orders'
        'orders amend|0' = '@orders'
        'orders cancel|0' = '@orders'
        'close|0' = '@positions'
        'desk|*' = '@epics'
        'accounts use|0' = '@accounts'
        'quote|*' = '@epics'
        'prices|0' = '@epics'
        'watch|*' = '@epics'
        'alert|*' = '@epics'
        'alert add|*' = '@epics'
        'markets show|0' = '@epics'
        'markets sentiment|*' = '@epics'
        'watchlists show|0' = '@watchlists'
        'watchlists create|*' = '@epics'
        'watchlists add|0' = '@watchlists'
        'watchlists add|1' = '@epics'
        'watchlists remove|0' = '@watchlists'
        'watchlists remove|1' = '@epics'
        'watchlists delete|0' = '@watchlists'
        'reconcile|0' = '@attempts'
        'resolve|0' = '@attempts'
        'config get|0' = 'CAP_ENV CAP_ALLOW_TRADING CAP_ALLOWED_EPICS CAP_MAX_POSITION_SIZE CAP_MAX_WORKING_ORDER_SIZE CAP_MAX_OPEN_POSITIONS CAP_MAX_ORDERS_PER_DAY CAP_REQUIRE_EXPLICIT_CONFIRM CAP_DRY_RUN CAP_DEFAULT_ACCOUNT_ID CAP_HTTP_TIMEOUT_S CAP_LOG_LEVEL CAP_WS_ENABLED CAP_MAX_RISK_PCT CAP_MAX_TOTAL_RISK_PCT CAP_MAX_MARGIN_PCT CAP_MAX_DAILY_LOSS CAP_REQUIRE_STOP CAP_ENSURE_STOP CAP_MAX_DRIFT_PCT CAP_PREVIEW_TTL_S CAP_APPROVAL CAP_MANDATE_FILE CAP_NOTIFY CAP_NOTIFY_CMD CAP_API_URL CAP_STREAM_URL CAP_API_KEY CAP_IDENTIFIER CAP_API_PASSWORD'
        'config set|0' = 'CAP_ENV CAP_ALLOW_TRADING CAP_ALLOWED_EPICS CAP_MAX_POSITION_SIZE CAP_MAX_WORKING_ORDER_SIZE CAP_MAX_OPEN_POSITIONS CAP_MAX_ORDERS_PER_DAY CAP_REQUIRE_EXPLICIT_CONFIRM CAP_DRY_RUN CAP_DEFAULT_ACCOUNT_ID CAP_HTTP_TIMEOUT_S CAP_LOG_LEVEL CAP_WS_ENABLED CAP_MAX_RISK_PCT CAP_MAX_TOTAL_RISK_PCT CAP_MAX_MARGIN_PCT CAP_MAX_DAILY_LOSS CAP_REQUIRE_STOP CAP_ENSURE_STOP CAP_MAX_DRIFT_PCT CAP_PREVIEW_TTL_S CAP_APPROVAL CAP_MANDATE_FILE CAP_NOTIFY CAP_NOTIFY_CMD CAP_API_URL CAP_STREAM_URL'
        'config unset|0' = 'CAP_ENV CAP_ALLOW_TRADING CAP_ALLOWED_EPICS CAP_MAX_POSITION_SIZE CAP_MAX_WORKING_ORDER_SIZE CAP_MAX_OPEN_POSITIONS CAP_MAX_ORDERS_PER_DAY CAP_REQUIRE_EXPLICIT_CONFIRM CAP_DRY_RUN CAP_DEFAULT_ACCOUNT_ID CAP_HTTP_TIMEOUT_S CAP_LOG_LEVEL CAP_WS_ENABLED CAP_MAX_RISK_PCT CAP_MAX_TOTAL_RISK_PCT CAP_MAX_MARGIN_PCT CAP_MAX_DAILY_LOSS CAP_REQUIRE_STOP CAP_ENSURE_STOP CAP_MAX_DRIFT_PCT CAP_PREVIEW_TTL_S CAP_APPROVAL CAP_MANDATE_FILE CAP_NOTIFY CAP_NOTIFY_CMD CAP_API_URL CAP_STREAM_URL'
        'paper check|0' = 'files'
        'paper faults set|0' = 'drop-before drop-after half-body delay status java-code redirect not-json blocked no-reference too-many refuse confirm-late confirm-never stale-confirm old-reference success-reason level-zero no-profit activity-late deal-late drop-stop reject closed-text stop-demanded band slippage part-fill round-size numbers demo-currency new-fields old-rows no-quote unknown-word thin-details margin-factor market-mode shut oldest-again no-code day-start expire-session unauthorised session-cap switch-account rotate-tokens old-token-follows key-paused no-account stream-cut idle-cut bars-lost bars-again one-stream frame-exponents'
        'paper faults clear|0' = 'drop-before drop-after half-body delay status java-code redirect not-json blocked no-reference too-many refuse confirm-late confirm-never stale-confirm old-reference success-reason level-zero no-profit activity-late deal-late drop-stop reject closed-text stop-demanded band slippage part-fill round-size numbers demo-currency new-fields old-rows no-quote unknown-word thin-details margin-factor market-mode shut oldest-again no-code day-start expire-session unauthorised session-cap switch-account rotate-tokens old-token-follows key-paused no-account stream-cut idle-cut bars-lost bars-again one-stream frame-exponents'
        'record|0' = 'files'
        'help|0' = 'login limits mcp scripts data cron paper architecture agents exit-codes error refusals environment output preview completions reference'
    }
    $everywhere = @(
            @('--env', 'paper, demo or live.'),
            @('--profile', 'Profile in config.toml.'),
            @('--account', 'Account to work on.'),
            @('--json', 'One JSON document on stdout.'),
            @('--csv', 'Print rows as CSV.'),
            @('--fields', 'Only these fields, in this order.'),
            @('--no-color', 'No colour (as NO_COLOR).'),
            @('--quiet', 'Print only errors to stderr.'),
            @('-q', 'Print only errors to stderr.'),
            @('--verbose', 'Say more on stderr.'),
            @('-v', 'Say more on stderr.'),
            @('--timeout', 'Seconds to wait for an answer.'),
            @('--tz', 'Times in utc (default) or local time.'),
            @('--version', 'Print the version.'),
            @('-V', 'Print the version.'),
            @('--help', 'Show this message and exit.')
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
