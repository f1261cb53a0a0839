-- A database for one service, an owner that migrates it, and a role that may only read and write rows.
-- For psql 14 and later, as a role that may create both; docs/kubernetes.md shows the call. It is told
-- `service`, and the words of the role and of the owner: word, owner_word.
\set ON_ERROR_STOP on
\set owner :service _owner
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_word';
CREATE ROLE :"service" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'word';
GRANT :"owner" TO CURRENT_USER; -- where this is no superuser, it could not give the owner anything otherwise
CREATE DATABASE :"service" OWNER :"owner";
\connect :"service"
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"service";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO :"service";
