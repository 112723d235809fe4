-- Version 2: what proves a user by the whole user@domain.
ALTER TABLE subscriber ADD COLUMN private_md5 TEXT;
ALTER TABLE subscriber ADD COLUMN private_sha256 TEXT;
