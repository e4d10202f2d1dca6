"""The V1 schema: create on an empty database what production has, adopt what is there.

A table that exists is left exactly as it is: no column, policy or grant of it is touched. One that does
not is created with its row level security and its grants, as production has them.
"""

from models.migrations.steps import one_by_one

revision = "v1_baseline"
down_revision = None
branch_labels = None
depends_on = None

TABLES = {
    "clients": """
        create table clients (
          id uuid primary key default gen_random_uuid(),
          name text not null,
          slug text unique,
          timezone text not null default 'UTC',
          release_hour smallint not null default 0 check (release_hour between 0 and 23),
          drip_enabled boolean not null default false,
          drip_frequency text,
          drip_day smallint,
          drip_next_run timestamptz,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
        )""",
    "batches": """
        create table batches (
          id uuid primary key default gen_random_uuid(),
          client_id uuid not null references clients (id) on delete cascade,
          batch_number text not null,
          status text not null default 'pending',
          total_dossiers integer not null default 0,
          completed_dossiers integer not null default 0,
          created_at timestamptz not null default now(),
          unique (client_id, batch_number)
        )""",
    "dossiers": """
        create table dossiers (
          id uuid primary key default gen_random_uuid(),
          client_id uuid not null references clients (id) on delete cascade,
          batch_id uuid references batches (id) on delete set null,
          company_name text not null,
          company_domain text,
          lead_score integer,
          timing_urgency text,
          primary_signal text,
          status text not null default 'skeleton',
          agents_completed text[] not null default '{}',
          find_leads jsonb,
          enrich_lead jsonb,
          enrich_contacts jsonb,
          copy jsonb,
          insight jsonb,
          media jsonb,
          sources jsonb not null default '[]',
          release_date date,
          released_at timestamptz,
          supersedes_dossier_id uuid references dossiers (id) on delete set null,
          superseded_by_dossier_id uuid references dossiers (id) on delete set null,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
        );
        create index dossiers_client_id_idx on dossiers (client_id);
        create index dossiers_batch_id_idx on dossiers (batch_id)""",
    "contacts": """
        create table contacts (
          id uuid primary key default gen_random_uuid(),
          dossier_id uuid not null references dossiers (id) on delete cascade,
          name text,
          first_name text,
          last_name text,
          title text,
          email text,
          phone text,
          linkedin_url text,
          bio_paragraph text,
          tenure text,
          is_primary boolean not null default false,
          source text,
          enrichment_data jsonb,
          created_at timestamptz not null default now()
        );
        create index contacts_dossier_id_idx on contacts (dossier_id)""",
    "lists": """
        create table lists (
          id uuid primary key default gen_random_uuid(),
          client_id uuid not null references clients (id) on delete cascade,
          name text not null,
          created_at timestamptz not null default now(),
          unique (client_id, name)
        )""",
    "dossier_lists": """
        create table dossier_lists (
          dossier_id uuid not null references dossiers (id) on delete cascade,
          list_id uuid not null references lists (id) on delete cascade,
          primary key (dossier_id, list_id)
        )""",
    "v2_clients": """
        create table v2_clients (
          client_id text primary key,
          client_name text not null,
          slug text unique,
          status text not null default 'active',
          icp_config jsonb,
          industry_research jsonb,
          research_context jsonb,
          drip_schedule jsonb,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
        )""",
    "v2_runs": """
        create table v2_runs (
          run_id text primary key,
          client_id text references v2_clients (client_id),
          status text not null default 'running',
          seed_data jsonb,
          dossier_id text,
          triggered_by text,
          config_snapshot jsonb,
          error_message text,
          started_at timestamptz not null default now(),
          completed_at timestamptz
        )""",
    "v2_pipeline_logs": """
        create table v2_pipeline_logs (
          step_id text primary key,
          run_id text references v2_runs (run_id),
          step_name text not null,
          status text not null default 'pending',
          input jsonb,
          output jsonb,
          model_used text,
          tokens_used integer,
          runtime_seconds numeric,
          error_message text,
          started_at timestamptz not null default now(),
          completed_at timestamptz
        );
        create index v2_pipeline_logs_run_id_idx on v2_pipeline_logs (run_id)""",
}

_CLIENT = "(select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'client_id')::uuid)"

VISIBLE = {
    "clients": f"id = {_CLIENT}",
    "batches": f"client_id = {_CLIENT}",
    "dossiers": f"client_id = {_CLIENT} and released_at <= now()",
    "contacts": "exists (select 1 from dossiers d where d.id = contacts.dossier_id)",
    "lists": f"client_id = {_CLIENT}",
    "dossier_lists": "exists (select 1 from dossiers d where d.id = dossier_lists.dossier_id)",
}

ROLE = """
do $do$ begin
  if to_regclass('dossiers') is null and not exists (select from pg_roles where rolname = 'app_reader') then
    create role app_reader nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;  -- another migration was quicker
  when insufficient_privilege then
    raise exception using
      message = 'the role app_reader does not exist, and ' || current_user || ' may not create it',
      hint = 'Let an administrator run: create role app_reader nologin';
end $do$
"""


def _create(table: str, ddl: str) -> str:
    visible = ""
    if table in VISIBLE:
        visible = f"""
    alter table {table} enable row level security;
    create policy {table}_visible on {table} for select to app_reader using ({VISIBLE[table]});
    grant select on {table} to app_reader;"""
    return f"""
do $do$ begin
  if to_regclass('{table}') is null then
    {ddl.strip()};{visible}
  end if;
end $do$
"""


def upgrade() -> None:
    """Create what is missing."""
    one_by_one([ROLE, *(_create(table, ddl) for table, ddl in TABLES.items())])


def downgrade() -> None:
    """Nothing: these tables are the app's and the pipeline's, with their data."""
