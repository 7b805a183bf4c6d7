"""The journal's tables. A migration is one tuple of statements; its place in MIGRATIONS is its version."""

from collections.abc import Iterable


def _forbidden(table: str, change: str, why: str) -> str:
    done = "deleted" if change == "DELETE" else "changed"
    return f"""CREATE TRIGGER {table}_are_not_{done} BEFORE {change} ON {table}
        BEGIN SELECT RAISE(ABORT, '{why}'); END"""


_V1 = (
    """CREATE TABLE previews (
        id TEXT PRIMARY KEY NOT NULL,
        kind TEXT NOT NULL,
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        account_id TEXT NOT NULL,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        body BLOB NOT NULL,
        body_sha256 TEXT NOT NULL,
        document BLOB NOT NULL,
        quote BLOB NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        broker_time TEXT
    )""",
    """CREATE TABLE attempts (
        id TEXT PRIMARY KEY NOT NULL,
        kind TEXT NOT NULL,
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        account_id TEXT NOT NULL,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        preview_id TEXT UNIQUE REFERENCES previews (id),
        state TEXT NOT NULL,
        body_sha256 TEXT NOT NULL,
        baseline BLOB NOT NULL,
        created_at TEXT NOT NULL,
        deal_id TEXT,
        broker_time_at_send TEXT,
        sent_at TEXT,
        last_byte_at TEXT,
        deal_reference TEXT,
        order_id TEXT,
        deal_ids TEXT NOT NULL,
        opened_deal_ids TEXT NOT NULL,
        candidates TEXT NOT NULL,
        answered_for TEXT,
        other_account_id TEXT,
        evidence TEXT NOT NULL,
        protected TEXT NOT NULL,
        http_status INTEGER,
        error_code TEXT,
        retry_after_s INTEGER,
        level TEXT,
        size TEXT,
        stop_level TEXT,
        absent_seen_at TEXT,
        ended_at TEXT,
        ending TEXT,
        note TEXT NOT NULL
    )""",
    # The names an opening order owns: its reference, its own id, and the deals it opened.
    """CREATE TABLE owned_deals (
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        name TEXT NOT NULL,
        attempt_id TEXT NOT NULL REFERENCES attempts (id),
        PRIMARY KEY (env, host, name)
    )""",
    "CREATE INDEX owned_by_attempt ON owned_deals (attempt_id)",
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY NOT NULL,
        attempt_id TEXT REFERENCES attempts (id),
        kind TEXT NOT NULL,
        at TEXT NOT NULL,
        from_state TEXT,
        to_state TEXT,
        detail TEXT NOT NULL,
        rows TEXT NOT NULL,
        prev_hash TEXT NOT NULL,
        hash TEXT NOT NULL
    )""",
    """CREATE TABLE approvals (
        -- One row for each request that a code stands for: closing all asks once.
        code_hash TEXT NOT NULL,
        digest TEXT NOT NULL,
        kind TEXT NOT NULL,
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        account_id TEXT NOT NULL,
        preview_id TEXT REFERENCES previews (id),
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        body_sha256 TEXT NOT NULL,
        text TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        decided_at TEXT,
        decided_by TEXT,
        PRIMARY KEY (code_hash, digest)
    )""",
    """CREATE TABLE switches (
        name TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL,
        reason TEXT NOT NULL,
        at TEXT NOT NULL
    )""",
    "CREATE INDEX previews_newest ON previews (env, created_at)",
    "CREATE INDEX attempts_newest ON attempts (env, created_at)",
    """CREATE INDEX attempts_unresolved ON attempts (env, host, account_id, created_at)
        WHERE state IN ('CLAIMED', 'SENDING', 'ACKED', 'UNKNOWN')""",
    "CREATE INDEX attempts_by_send ON attempts (env, host, account_id, sent_at)",
    "CREATE INDEX events_of_attempt ON events (attempt_id)",
    "CREATE INDEX events_of_kind ON events (kind)",
    "CREATE INDEX approvals_by_digest ON approvals (digest, expires_at)",
    """CREATE INDEX approvals_waiting ON approvals (expires_at)
        WHERE state IN ('PENDING', 'APPROVED')""",
    _forbidden("events", "UPDATE", "events are append only"),
    _forbidden("events", "DELETE", "events are append only"),
    _forbidden("previews", "DELETE", "previews are kept"),
    _forbidden("attempts", "DELETE", "attempts are kept"),
    _forbidden("approvals", "DELETE", "approvals are kept"),
    _forbidden("switches", "DELETE", "switches are kept"),
)

_V2 = (
    # Numbers of deals for people at this computer: never given to another deal.
    """CREATE TABLE deal_numbers (
        env TEXT NOT NULL,
        account_id TEXT NOT NULL,
        deal_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (env, account_id, deal_id),
        UNIQUE (env, account_id, number)
    )""",
    _forbidden("deal_numbers", "DELETE", "deal numbers are kept"),
)

# The requester: the name of an assistant's client, or a script.
_V3 = ("ALTER TABLE approvals ADD COLUMN client TEXT",)

_V4 = (
    # Mandates: what a client may send without approval. Terms never change, and an end is final.
    """CREATE TABLE mandates (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        account_id TEXT NOT NULL,
        secret_hash TEXT UNIQUE NOT NULL,
        epics TEXT NOT NULL,
        risk TEXT NOT NULL,
        total_risk TEXT NOT NULL,
        currency TEXT NOT NULL,
        orders INTEGER NOT NULL,
        since TEXT NOT NULL,
        granted_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        state TEXT NOT NULL,
        ended_at TEXT
    )""",
    # What was sent under a mandate. Each order has its own number, so no two use the last one.
    """CREATE TABLE mandate_uses (
        attempt_id TEXT PRIMARY KEY NOT NULL REFERENCES attempts (id),
        mandate_id TEXT NOT NULL REFERENCES mandates (id),
        deed TEXT NOT NULL,
        number INTEGER,
        reserved TEXT NOT NULL,
        at TEXT NOT NULL,
        UNIQUE (mandate_id, number)
    )""",
    "CREATE INDEX mandates_in_force ON mandates (expires_at) WHERE state = 'ACTIVE'",
    _forbidden("mandates", "DELETE", "mandates are kept"),
    """CREATE TRIGGER mandates_only_end BEFORE UPDATE ON mandates
        WHEN OLD.state <> 'ACTIVE' OR NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.env <> OLD.env
            OR NEW.host <> OLD.host OR NEW.account_id <> OLD.account_id OR NEW.secret_hash <> OLD.secret_hash
            OR NEW.epics <> OLD.epics OR NEW.risk <> OLD.risk OR NEW.total_risk <> OLD.total_risk
            OR NEW.currency <> OLD.currency OR NEW.orders <> OLD.orders OR NEW.since <> OLD.since
            OR NEW.granted_at <> OLD.granted_at OR NEW.expires_at <> OLD.expires_at
        BEGIN SELECT RAISE(ABORT, 'a mandate only ends'); END""",
    _forbidden("mandate_uses", "UPDATE", "uses of a mandate are kept"),
    _forbidden("mandate_uses", "DELETE", "uses of a mandate are kept"),
)

_V5 = (
    # Events of an account, numbered as they became known here; and the state of the polls.
    """CREATE TABLE account_events (
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        account_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        at TEXT NOT NULL,
        deal_id TEXT,
        fact TEXT NOT NULL,
        repeat INTEGER NOT NULL,
        PRIMARY KEY (env, host, account_id, number),
        UNIQUE (env, host, account_id, name)
    )""",
    "CREATE INDEX account_events_by_deal ON account_events (env, host, account_id, deal_id)",
    """CREATE TABLE account_looks (
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        account_id TEXT NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (env, host, account_id)
    )""",
    # Stored alerts, until they are reached or removed.
    """CREATE TABLE alerts (
        env TEXT NOT NULL,
        host TEXT NOT NULL,
        account_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        level TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        ended_at TEXT,
        PRIMARY KEY (env, host, account_id, number)
    )""",
    _forbidden("alerts", "DELETE", "alerts are kept"),
    _forbidden("account_events", "UPDATE", "account events are kept"),
    _forbidden("account_events", "DELETE", "account events are kept"),
)

Migrations = tuple[Iterable[str], ...]

MIGRATIONS: Migrations = (_V1, _V2, _V3, _V4, _V5)
