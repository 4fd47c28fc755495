"""The files of a server that takes its users from XML, as an image does."""

CONFIG = """<clickhouse>
  <users_config>{directory}/users.xml</users_config>
  <keep_alive_timeout>1</keep_alive_timeout>
  <mark_cache_size>67108864</mark_cache_size>
  <logger><log>{directory}/server.log</log><errorlog>{directory}/server.err.log</errorlog></logger>
</clickhouse>
"""
# Stands for the image's file; the session that opens the listeners is its `default`.
USERS = """<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password/>
      <networks><ip>127.0.0.1</ip></networks>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
        <query>GRANT READ ON FILE</query>
      </grants>
    </default>
  </users>
</clickhouse>
"""
