"""A database that one test process uses for test after test: emptied in between, made anew if its shape changed.

Emptying takes a few milliseconds, cloning another database a hundred. One session of ours looks and empties from
test to test: in a new one, PostgreSQL would read its catalogs and plan anew, which takes ten times as long.
"""

import time

import psycopg
from psycopg import sql

# What a test may have changed beside rows: revision, columns, constraints, indexes, triggers, functions, rights,
# settings.
_SHAPE = """
select md5(concat_ws('|',
  (select string_agg(version_num, ',') from columnline_schema_version),
  (select nspacl::text from pg_namespace where nspname = 'public'),
  (select string_agg(concat(c.relname, c.relrowsecurity, c.relacl, a.attacl, a.attname, a.atttypid, a.attnotnull,
     a.attisdropped), ',' order by c.relname, a.attnum)
   from pg_class c join pg_attribute a on a.attrelid = c.oid
   where c.relnamespace = 'public'::regnamespace and a.attnum > 0),
  (select string_agg(concat(conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid)), ',' order by
     conrelid::regclass::text, conname) from pg_constraint where connamespace = 'public'::regnamespace),
  (select string_agg(concat(indexrelid::regclass, indisvalid), ',' order by indexrelid::regclass::text)
   from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'public'::regnamespace),
  (select string_agg(concat(tgrelid::regclass, tgname, tgenabled), ',' order by tgrelid::regclass::text, tgname)
   from pg_trigger where not tgisinternal),
  (select string_agg(concat(proname, prosrc), ',' order by proname)
   from pg_proc where pronamespace = 'public'::regnamespace),
  (select string_agg(concat(polrelid::regclass, polname), ',' order by polrelid::regclass::text, polname)
   from pg_policy),
  (select string_agg(concat(setrole, setconfig), ',' order by setrole) from pg_db_role_setting
   where setdatabase = (select oid from pg_database where datname = current_database()))
))
"""

# Asked again until there are none: `pg_terminate_backend` itself could wait, but looks only ten times a second.
_END_OTHERS = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
_WITHIN = 2.0  # seconds for the others to end

_EMPTY = """
do $do$
declare found record;
begin
  set local session_replication_role = replica;  -- no foreign key has a say in this
  for found in
    select tablename as name, pg_relation_size(quote_ident(tablename)) as size
    from pg_tables where schemaname = 'public' and tablename <> 'columnline_schema_version'
  loop
    if found.size > 1000000 then
      execute 'truncate ' || quote_ident(found.name) || ' cascade';
    elsif found.size > 0 then
      execute 'delete from ' || quote_ident(found.name);
    end if;
  end loop;
end $do$
"""


class Kept:
    """The database, made when it is first asked for."""

    def __init__(self, admin, server_url, template, name):
        self._admin, self._server_url, self._template, self._name = admin, server_url, template, name
        self._session = self._shape = None

    @property
    def url(self):
        """Where it is; as empty as the template."""
        url = self._server_url.set(drivername="postgresql", database=self._name).render_as_string(
            hide_password=False
        )
        if self._session is None:
            self._admin.execute(
                sql.SQL("create database {} template {}").format(
                    *map(sql.Identifier, (self._name, self._template))
                )
            )
            self._session = psycopg.connect(url, autocommit=True)
            self._shape = self._look()
        return url

    def clean(self):
        """Take everything out that a test has left: sessions, rows, and a schema that is another one now."""
        until = time.monotonic() + _WITHIN
        while self._session.execute(_END_OTHERS).rowcount and time.monotonic() < until:
            time.sleep(0.001)
        if self._look() == self._shape:
            self._session.execute(_EMPTY)
        else:
            self.drop()

    def drop(self):
        """Remove it; the next to ask has a new one."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(self._name)))

    def _look(self):
        return self._session.execute(_SHAPE).fetchone()[0]
