"""A database that one test process uses for test after test: emptied in between, made anew if its shape changed.

Emptying takes a few milliseconds, cloning another database a hundred.
"""

import psycopg
from psycopg import sql

# What a test may have changed beside rows: columns, constraints, indexes, triggers, functions, rights, settings.
_SHAPE = """
select md5(concat_ws('|',
  (select string_agg(concat(c.relname, c.relrowsecurity, c.relacl, a.attname, a.atttypid, a.attnotnull,
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
        self._shape = None

    @property
    def url(self):
        """Where it is; as empty as the template."""
        url = self._server_url.set(drivername="postgresql", database=self._name).render_as_string(
            hide_password=False
        )
        if self._shape is None:
            self._admin.execute(
                sql.SQL("create database {} template {}").format(
                    *map(sql.Identifier, (self._name, self._template))
                )
            )
            with psycopg.connect(url, autocommit=True) as connection:
                self._shape = connection.execute(_SHAPE).fetchone()[0]
        return url

    def clean(self):
        """Take everything out that a test has left: sessions, rows, and a schema that is another one now."""
        self._admin.execute(
            "select pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = %s", [self._name]
        )
        with psycopg.connect(self.url, autocommit=True) as connection:
            same = connection.execute(_SHAPE).fetchone()[0] == self._shape
            if same:
                connection.execute(_EMPTY)
        if not same:
            self.drop()

    def drop(self):
        """Remove it; the next to ask has a new one."""
        self._admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(self._name)))
        self._shape = None
