-- Run once by the image, in a new cluster: the database, and a role for each that uses it.
\set owner `cat /run/secrets/database_owner`
\set api `cat /run/secrets/database_api`
\set exporter `cat /run/secrets/database_exporter`
\set drift `cat /run/secrets/database_drift`
\set grafana `cat /run/secrets/database_grafana`
CREATE ROLE f1pa LOGIN PASSWORD :'owner';
CREATE ROLE f1pa_api LOGIN PASSWORD :'api';
CREATE ROLE f1pa_exporter LOGIN PASSWORD :'exporter' IN ROLE pg_monitor;
CREATE ROLE f1pa_drift LOGIN PASSWORD :'drift';
-- Dashboards read laps and predictions.
CREATE ROLE f1pa_grafana LOGIN PASSWORD :'grafana' IN ROLE pg_read_all_data;
CREATE DATABASE f1pa OWNER f1pa;
REVOKE CONNECT ON DATABASE f1pa FROM PUBLIC;
GRANT CONNECT ON DATABASE f1pa TO f1pa_api, f1pa_exporter, f1pa_drift, f1pa_grafana;
\connect f1pa
GRANT USAGE ON SCHEMA public TO f1pa_api, f1pa_drift;
-- The schema itself grants what the API and the drift job write.
ALTER DEFAULT PRIVILEGES FOR ROLE f1pa IN SCHEMA public GRANT SELECT ON TABLES TO f1pa_api;
