-- Run once by CloudNativePG, as superuser in the new database. The operator gives the roles their
-- passwords; the schema itself grants what the API and the drift job write.
CREATE ROLE f1pa_api;
CREATE ROLE f1pa_exporter;
CREATE ROLE f1pa_drift;
GRANT USAGE ON SCHEMA public TO f1pa_api, f1pa_drift;
ALTER DEFAULT PRIVILEGES FOR ROLE f1pa IN SCHEMA public GRANT SELECT ON TABLES TO f1pa_api;
GRANT pg_monitor TO f1pa_exporter;
